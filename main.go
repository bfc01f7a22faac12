// Command assetfs mounts remote assets as ordinary read-only files.
package main

import "assetfs/fs/cli"

func main() { cli.Main() }
