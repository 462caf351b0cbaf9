// Command kvplugin serves a key-value store from memory, in the protocol versions that its flag names. Each version has
// a store of its own, whose key `version` tells which one it is.
package main

import (
	"context"
	"flag"
	"log"
	"strconv"
	"sync"

	"gopeers/kv"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type store struct {
	kv.UnimplementedKVServer
	mutex  sync.Mutex
	values map[string][]byte
}

func newStore(version int) kv.KVServer {
	return &store{values: map[string][]byte{"version": []byte(strconv.Itoa(version))}}
}

func (s *store) Get(_ context.Context, request *kv.GetRequest) (*kv.GetResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	value, found := s.values[request.GetKey()]
	if !found {
		return nil, status.Errorf(codes.NotFound, "no such key: %s", request.GetKey())
	}
	return &kv.GetResponse{Value: value}, nil
}

func (s *store) Put(_ context.Context, request *kv.PutRequest) (*kv.Empty, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.values[request.GetKey()] = request.GetValue()
	return &kv.Empty{}, nil
}

func main() {
	versions := flag.String("versions", "1", "the protocol versions to serve, comma-separated")
	flag.Parse()
	sets, err := kv.Plugins(*versions, newStore)
	if err != nil {
		log.Fatal(err)
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  kv.Handshake,
		VersionedPlugins: sets,
		GRPCServer:       plugin.DefaultGRPCServer,
	})
}
