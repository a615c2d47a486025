module lazaret/tools/rpmdb

go 1.26.0

require github.com/knqyf263/go-rpmdb v0.1.1

require golang.org/x/xerrors v0.0.0-20200804184101-5ec99f83aff1 // indirect
