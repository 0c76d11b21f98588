"""What can be asked of registration: one public function per module, within the caller's unit of work."""
