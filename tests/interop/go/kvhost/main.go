// Command kvhost is a Go host of one key-value plugin, driven by JSON lines; see package drive.
//
//	{"op": "put", "key": "x", "value": "y"} -> null
//	{"op": "get", "key": "x"}               -> "y"
package main

import (
	"context"
	"encoding/json"
	"flag"
	"log"

	"gopeers/drive"
	"gopeers/kv"
)

func main() {
	config := drive.NewConfig()
	versions := flag.String("versions", "1", "the protocol versions to offer, comma-separated")
	flag.Parse()
	sets, err := kv.Plugins(*versions, nil)
	if err != nil {
		log.Fatal(err)
	}
	config.HandshakeConfig = kv.Handshake
	config.VersionedPlugins = sets
	if config.Reattach != nil {
		config.Plugins = sets[config.Reattach.ProtocolVersion] // a client that reattaches looks nowhere else
	}
	drive.Main(config, kv.DispenseName, map[string]drive.Operation[kv.KVClient]{"put": put, "get": get})
}

type command struct{ Key, Value string }

func put(ctx context.Context, store kv.KVClient, text []byte) (any, error) {
	var command command
	if err := json.Unmarshal(text, &command); err != nil {
		return nil, err
	}
	_, err := store.Put(ctx, &kv.PutRequest{Key: command.Key, Value: []byte(command.Value)})
	return nil, err
}

func get(ctx context.Context, store kv.KVClient, text []byte) (any, error) {
	var command command
	if err := json.Unmarshal(text, &command); err != nil {
		return nil, err
	}
	reply, err := store.Get(ctx, &kv.GetRequest{Key: command.Key})
	return string(reply.GetValue()), err
}
