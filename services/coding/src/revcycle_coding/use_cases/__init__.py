"""What can be asked of coding: one public function each, within the caller's unit of work."""
