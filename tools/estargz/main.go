// Makes a layer of eStargz out of the tar archive on its standard input.
//
//	estargz-for-tests CHUNK-BYTES STREAM-BYTES-MIN [FILE…]
//
// The layer goes to standard output; the digest of its table of contents and its diff id go to standard error. Files that are
// named are put first, as a tool that prepares prefetching does it.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/containerd/stargz-snapshotter/estargz"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) < 2 {
		return fmt.Errorf("two sizes are needed")
	}
	chunkBytes, err := strconv.Atoi(arguments[0])
	if err != nil {
		return err
	}
	streamBytesMin, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	archive, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	options := []estargz.Option{
		estargz.WithChunkSize(chunkBytes),
		estargz.WithMinChunkSize(streamBytesMin),
		// The same layer on every machine.
		estargz.WithParallelism(1),
		estargz.WithCompressionLevel(1),
	}
	if files := arguments[2:]; len(files) > 0 {
		options = append(options, estargz.WithPrioritizedFiles(files))
	}
	blob, err := estargz.Build(io.NewSectionReader(bytes.NewReader(archive), 0, int64(len(archive))), options...)
	if err != nil {
		return err
	}
	defer blob.Close()
	if _, err := io.Copy(os.Stdout, blob); err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stderr, "%s %s\n", blob.TOCDigest(), blob.DiffID())
	return err
}
