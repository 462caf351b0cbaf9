// Command matrixplugin serves the contract of package matrix, in the protocol versions that its flag names.
package main

import (
	"flag"
	"log"

	"gopeers/matrix"

	"github.com/hashicorp/go-plugin"
)

func main() {
	versions := flag.String("versions", "1", "the protocol versions to serve, comma-separated")
	flag.Parse()
	sets, err := matrix.Plugins(*versions)
	if err != nil {
		log.Fatal(err)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  matrix.Handshake,
		VersionedPlugins: sets,
		GRPCServer:       matrix.NewServer,
	})
}
