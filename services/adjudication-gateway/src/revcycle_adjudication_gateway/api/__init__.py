"""The REST interface of the gateway: routers and their models."""
