"""What an item says before anybody took it: texts, images and videos as vectors."""
