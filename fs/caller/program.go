package caller

import (
	"strings"
	"sync"

	"assetfs/fs/asset"
)

// caller is the program whose thread made a kernel request. It is looked up when
// somebody asks first: a read of what is present never does.
type caller struct {
	tid  uint32
	once sync.Once
	name string
	pid  int
}

var _ asset.Caller = (*caller)(nil)

// unknownProgram is a caller of which nothing can be found out: it is in another
// pid namespace, hidden, or gone.
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
