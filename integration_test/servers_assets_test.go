package integration_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"assetfs/remote/fakeapi"

	"github.com/rogpeppe/go-internal/testscript"
)

// served is an asset of real servers: a file whose path is that of its URL.
type served struct {
	ID, Name, Type string
	size           int64
	text           bool // compresses well
}

// servedAssets are the assets of all servers.
var servedAssets = func() []served {
	all := []served{
		{ID: "re_1", Name: "film.mkv", Type: "video/x-matroska", size: 40 << 20},
		{ID: "re_2", Name: "notes.txt", Type: "text/plain", size: 3_000_001, text: true},
		{ID: "re_3", Name: "photo.jpg", Type: "image/jpeg", size: 300_007},
		{ID: "re_4", Name: "empty.txt", Type: "text/plain"},
		{ID: "re_5", Name: "Übung 1.pdf", Type: "application/pdf", size: 1},
	}
	for i := range 20 { // to test limits
		n := strconv.Itoa(11 + i)
		all = append(all, served{ID: "re_" + n, Name: "clip " + n + ".bin", Type: "application/octet-stream", size: 20_000})
	}
	return all
}()

// disposition returns the Content-Disposition.
func (a served) disposition() string { return `attachment; filename="` + a.Name + `"` }

// Single returns the disposition for configurations that put it between single quotes.
func (a served) Single() string { return strings.ReplaceAll(a.disposition(), "'", `\'`) }

// Double returns the disposition for configurations that put it between double quotes.
func (a served) Double() string { return strings.ReplaceAll(a.disposition(), `"`, `\"`) }

// write writes the asset's file. Version 2 has other bytes.
func (a served) write(name string, version int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	in := io.Reader(io.NewSectionReader(fakeapi.Content(a.ID, version), 0, a.size))
	if a.text {
		in = io.LimitReader(&lines{version: version}, a.size)
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Close())
}

// lines is an endless text.
type lines struct {
	version, n int
	rest       []byte
}

// Read returns the next part of the text.
func (l *lines) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		l.n++
		l.rest = fmt.Appendf(nil, "%d: line %d of a text that compresses well\n", l.version, l.n)
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// writeAssets writes a document root. All files have the same modification time, long ago.
func writeAssets(root string) error {
	const unknown = `{"code":404,"msg":"Asset not found","data":null}`
	const limited = `{"code":429,"msg":"Rate limit exceeded","data":null}`
	errs := []error{
		os.WriteFile(filepath.Join(root, "unknown.json"), []byte(unknown), 0o644),
		os.WriteFile(filepath.Join(root, "limited.json"), []byte(limited), 0o644),
	}
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, a := range servedAssets {
		dir := filepath.Join(root, basePath, a.ID)
		metadata := fmt.Sprintf(`{"code":200,"msg":"success","data":{"total":1,"resource":[{"extension":%q,"asset_id":%q,"original_filename":%q,`+
			`"file_size":"%d","upload_status":"SUCCESS","create_time":"%[5]d","modify_time":"%[5]d"}]},"success":true,"failed":false}`,
			strings.TrimPrefix(filepath.Ext(a.Name), "."), a.ID, a.Name, a.size, when.UnixMilli())
		errs = append(errs,
			os.MkdirAll(dir, 0o755),
			a.write(filepath.Join(dir, "download"), 1),
			os.WriteFile(filepath.Join(dir, "metadata"), []byte(metadata), 0o644),
			os.Chtimes(filepath.Join(dir, "download"), when, when))
	}
	return errors.Join(errs...)
}

// linkAssets makes a document root for one script, with links to the files of the common one.
func linkAssets(from, to string) error {
	// Servers that run as another user must be able to enter these directories.
	for _, dir := range []string{filepath.Dir(filepath.Dir(to)), filepath.Dir(to)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	return filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(name, from))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return os.Link(name, target)
	})
}

// cmdAsset implements "asset replace|copy|touch ID". It replaces a file by other bytes of the same length, or by a copy with the same
// time and another inode, or by the same bytes with another time. It renames, as careful people do.
func cmdAsset(ts *testscript.TestScript, neg bool, args []string) {
	usageText := "asset replace|copy|touch ID"
	if neg || len(args) != 2 {
		usage(ts, usageText)
	}
	i := slices.IndexFunc(servedAssets, func(a served) bool { return a.ID == args[1] })
	if i < 0 {
		ts.Fatalf("no asset %s", args[1])
	}
	name := filepath.Join(ts.Getenv("FILES"), args[1], "download")
	switch args[0] {
	case "replace":
		ts.Check(servedAssets[i].write(name+".new", 2))
	case "copy", "touch":
		info, err := os.Stat(name)
		ts.Check(err)
		data, err := os.ReadFile(name)
		ts.Check(err)
		ts.Check(os.WriteFile(name+".new", data, 0o644))
		when := info.ModTime()
		if args[0] == "touch" {
			when = when.Add(time.Hour)
		}
		ts.Check(os.Chtimes(name+".new", when, when))
	default:
		usage(ts, usageText)
	}
	ts.Check(os.Rename(name+".new", name))
}
