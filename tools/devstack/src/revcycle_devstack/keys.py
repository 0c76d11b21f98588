"""Development keys, made before the services start. Production keys come from elsewhere and never through here."""

from revcycle_devstack.layout import StateLayout, checkout_root
from revcycle_devstack.plan import StackOptions


def write_development_keys(layout: StateLayout, options: StackOptions) -> None:
    """Write a keyring per service (as `deploy/keys.yaml` grants) and the key for bearer tokens; existing ones stay."""
    # Imported here: without services, as for tests of the infrastructure, neither package is needed.
    from revcycle_messaging.keys import write_development_keyrings
    from revcycle_service_kit.auth import ensure_development_key

    layout.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_development_keyrings(layout.keys, checkout_root() / "deploy" / "keys.yaml", options.tenants)
    ensure_development_key(layout.token_key_file)
