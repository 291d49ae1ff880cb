"""What tests of several folders share: real servers as processes, with their own folders and ports."""
