package cli

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"strings"
	"syscall"
)

// fileError describes an error of the file that was given for a flag: "--ids /x: no such file;
// give ...".
func fileError(flag, path string, err error, instead string) error {
	return &usageError{fmt.Errorf("%s %s: %w; %s", flag, path, &pathProblem{path, err}, instead)}
}

// pathProblem describes an error of a file without naming the failed operation.
type pathProblem struct {
	path string
	err  error
}

func (p *pathProblem) Unwrap() error { return p.err }

func (p *pathProblem) Error() string {
	var path *iofs.PathError
	switch {
	case errors.Is(p.err, os.ErrNotExist) && dangling(p.path):
		return "is a dangling symbolic link"
	case errors.Is(p.err, os.ErrNotExist):
		return "no such file"
	case errors.Is(p.err, syscall.EISDIR):
		return "is a directory"
	case errors.Is(p.err, syscall.ELOOP):
		return "is a loop of symbolic links"
	case errors.As(p.err, &path):
		return path.Err.Error()
	}
	return strings.TrimPrefix(p.err.Error(), p.path+": ") // the flag's file is named already
}

// dangling reports whether path is a dangling symbolic link.
func dangling(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return false
	}
	_, err = os.Stat(path)
	return errors.Is(err, os.ErrNotExist)
}
