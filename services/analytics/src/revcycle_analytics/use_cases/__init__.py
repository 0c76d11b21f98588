"""One public function per thing the service can be asked."""
