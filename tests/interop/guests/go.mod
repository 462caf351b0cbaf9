module guests

go 1.26.0

require (
	github.com/knqyf263/go-plugin v0.9.0
	github.com/tetratelabs/wazero v1.9.0
	google.golang.org/protobuf v1.36.12
)

require github.com/planetscale/vtprotobuf v0.4.0 // indirect

tool github.com/knqyf263/go-plugin/cmd/protoc-gen-go-plugin
