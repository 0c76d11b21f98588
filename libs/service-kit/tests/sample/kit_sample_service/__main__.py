"""The sample as a program."""

from revcycle_service_kit import main

from kit_sample_service.parts import build

if __name__ == "__main__":
    main(build())
