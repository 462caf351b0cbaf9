// Command matrixhost is a Go host of one plugin of package matrix, driven by JSON lines; see package drive.
//
//	{"op": "echo", "text": "x"}               -> "x"
//	{"op": "echo", "size": 5242880}           -> 5242880, the size of what came back
//	{"op": "join", "texts": ["a", "b"]}       -> ["ab"]
//	{"op": "split", "texts": ["a\nb"]}        -> ["a", "b"]
//	{"op": "chat", "texts": ["a", "b"]}       -> ["a", "b"]
//	{"op": "callback", "text": "x"}           -> "x", which the plugin got from us; "times": how often it asks
//	{"op": "offered", "text": "x"}            -> "x", from a connection that the plugin offered
//	{"op": "print", "text": "stdout x"}       -> ""
//	{"op": "exit", "text": "3"}               -> an error
//	{"op": "version"}                         -> "1"
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log"

	"gopeers/drive"
	"gopeers/matrix"
)

func main() {
	config := drive.NewConfig()
	versions := flag.String("versions", "1", "the protocol versions to offer, comma-separated")
	cookie := flag.String("cookie", matrix.Handshake.MagicCookieValue, "the magic cookie's value")
	flag.Parse()
	sets, err := matrix.Plugins(*versions)
	if err != nil {
		log.Fatal(err)
	}
	config.HandshakeConfig = matrix.Handshake
	config.HandshakeConfig.MagicCookieValue = *cookie
	config.VersionedPlugins = sets
	if config.Reattach != nil {
		// go-plugin negotiates nothing then; all versions have the same methods.
		for _, config.Plugins = range sets {
		}
	}
	drive.Main(config, matrix.DispenseName, map[string]drive.Operation[*matrix.Client]{
		"echo":     echo,
		"join":     stream("Join"),
		"split":    stream("Split"),
		"chat":     stream("Chat"),
		"callback": callback,
		"offered":  offered,
		"print":    call("Print"),
		"exit":     call("Exit"),
		"version":  call("Version"),
	})
}

type command struct {
	Text  string
	Texts []string
	Size  int
	Times int
}

func parse(text []byte) (command, error) {
	parsed := command{Times: 1}
	err := json.Unmarshal(text, &parsed)
	return parsed, err
}

func echo(ctx context.Context, client *matrix.Client, text []byte) (any, error) {
	command, err := parse(text)
	if err != nil {
		return nil, err
	}
	if command.Size == 0 {
		reply, err := client.Call(ctx, "Echo", []byte(command.Text))
		return string(reply), err
	}
	request := bytes.Repeat([]byte("x"), command.Size)
	reply, err := client.Call(ctx, "Echo", request)
	if err == nil && !bytes.Equal(request, reply) {
		err = errors.New("something else came back")
	}
	return len(reply), err
}

func callback(ctx context.Context, client *matrix.Client, text []byte) (any, error) {
	command, err := parse(text)
	if err != nil {
		return nil, err
	}
	reply, err := client.CallBack(ctx, command.Text, command.Times)
	return string(reply), err
}

func offered(ctx context.Context, client *matrix.Client, text []byte) (any, error) {
	command, err := parse(text)
	if err != nil {
		return nil, err
	}
	reply, err := client.Offered(ctx, command.Text)
	return string(reply), err
}

func call(method string) drive.Operation[*matrix.Client] {
	return func(ctx context.Context, client *matrix.Client, text []byte) (any, error) {
		command, err := parse(text)
		if err != nil {
			return nil, err
		}
		reply, err := client.Call(ctx, method, []byte(command.Text))
		return string(reply), err
	}
}

func stream(method string) drive.Operation[*matrix.Client] {
	return func(ctx context.Context, client *matrix.Client, text []byte) (any, error) {
		command, err := parse(text)
		if err != nil {
			return nil, err
		}
		return client.Stream(ctx, method, command.Texts)
	}
}
