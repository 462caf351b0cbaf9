// Command probe is grpc-go's part in the conformance suite: the service conformance.Probe and a client of it.
//
//	probe serve SOCKET CERTIFICATE KEY    until the end of stdin
//	probe call                            what stdin says, line by line
//
// Both ends, and what goes over stdin and stdout, are described in tests/interop/conformance/__init__.py.
package main

import (
	"fmt"
	"log"
	"os"

	"google.golang.org/protobuf/types/known/wrapperspb"
)

const service = "conformance.Probe"

// noLimit is for gRPC's 4 MiB limit on messages.
const noLimit = 1 << 30

type message = wrapperspb.BytesValue

func main() {
	var err error
	switch arguments := os.Args[1:]; {
	case len(arguments) == 4 && arguments[0] == "serve":
		err = serve(arguments[1], arguments[2], arguments[3])
	case len(arguments) == 1 && arguments[0] == "call":
		err = obey(os.Stdin, os.Stdout)
	default:
		err = fmt.Errorf("usage: probe serve SOCKET CERTIFICATE KEY | probe call")
	}
	if err != nil {
		log.Fatal(err)
	}
}
