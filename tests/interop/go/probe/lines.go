package main

import (
	"bytes"
	"compress/zlib"
	"encoding/json"
	"io"

	"google.golang.org/grpc/metadata"
)

// order is a line of stdin, and a list of outcomes is one of stdout.
type order struct {
	Target      string `json:"target"`
	Certificate string `json:"certificate"`
	Calls       []call `json:"calls"`
}

type call struct {
	Path        string   `json:"path"`
	Requests    []octets `json:"requests"`
	Metadata    pairs    `json:"metadata"`
	Timeout     float64  `json:"timeout"`
	CancelAfter int      `json:"cancel_after"`
}

type outcome struct {
	Replies  []octets `json:"replies"`
	Initial  pairs    `json:"initial"`
	Trailing pairs    `json:"trailing"`
	Code     int      `json:"code"`
	Message  string   `json:"message"`
	Details  []string `json:"details"`
}

// octets are in JSON what zlib and base64 make of them.
type octets []byte

func (o octets) MarshalJSON() ([]byte, error) {
	var packed bytes.Buffer
	writer, err := zlib.NewWriterLevel(&packed, zlib.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(o); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return json.Marshal(packed.Bytes())
}

func (o *octets) UnmarshalJSON(text []byte) error {
	var packed []byte
	if err := json.Unmarshal(text, &packed); err != nil {
		return err
	}
	reader, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	*o, err = io.ReadAll(reader)
	return err
}

// pairs are metadata.
type pairs [][2]octets

func pairsOf(md metadata.MD) pairs {
	result := pairs{}
	for key, values := range md {
		for _, value := range values {
			result = append(result, [2]octets{octets(key), octets(value)})
		}
	}
	return result
}

func (p pairs) metadata() metadata.MD {
	md := metadata.MD{}
	for _, pair := range p {
		md.Append(string(pair[0]), string(pair[1]))
	}
	return md
}
