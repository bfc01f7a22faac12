package caller

import (
	"strings"
	"sync"

	"assetfs/fs/asset"
)

// caller is the program that made a kernel request. It is looked up only when somebody asks,
// so a read from the spool doesn't pay for it.
type caller struct {
	tid  uint32
	once sync.Once
	name string
	pid  int
}

var _ asset.Caller = (*caller)(nil)

// unknownProgram stands for a caller that is gone, hidden, or in another pid namespace.
const unknownProgram = "unknown"

// Program is the command name of the caller's process.
func (c *caller) Program() (name string, pid int) {
	c.once.Do(func() {
		c.name, c.pid = programOf(c.tid)
		c.name = strings.ToValidUTF8(c.name, "?")
		if c.name == "" {
			c.name = unknownProgram
		}
	})
	return c.name, c.pid
}

// Patient returns false: it waits for one read.
func (c *caller) Patient() bool { return false }
