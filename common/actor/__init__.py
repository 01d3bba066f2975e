"""What an actor is: a pure core, the links it speaks over, and the one shell that carries out its effects."""
