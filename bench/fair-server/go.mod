module fair-server

go 1.24
