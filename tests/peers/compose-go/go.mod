module compose

go 1.22
