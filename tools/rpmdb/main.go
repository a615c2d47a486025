// Command rpmdb-for-checks lists the packages of a database of rpm, by a reader that is not ours: this machine's rpm may have
// been built without one of the forms.
package main

import (
	"fmt"
	"log"
	"os"

	rpmdb "github.com/knqyf263/go-rpmdb/pkg"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: rpmdb-for-checks FILE")
	}
	database, err := rpmdb.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	packages, err := database.ListPackages()
	if err != nil {
		log.Fatal(err)
	}
	for _, listed := range packages {
		epoch := ""
		if listed.Epoch != nil {
			epoch = fmt.Sprintf("%d:", *listed.Epoch)
		}
		fmt.Printf("%s\t%s%s-%s\t%s\n", listed.Name, epoch, listed.Version, listed.Release, listed.Arch)
	}
}
