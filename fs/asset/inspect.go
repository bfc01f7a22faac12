package asset

import "assetfs/fs/spool"

// State describes a store.
type State struct {
	spool.State
	Limit int64             // bytes that it may hold; 0: any number
	Notes map[string]string // by name; see Store.Note
}

// Inspect describes the store of baseURL below the directory root, which is not open, and changes
// nothing. Its errors are those of spool.Inspect.
func Inspect(root, baseURL string) (State, error) {
	notes := map[string]string{}
	state, err := spool.Inspect(root, baseURL, func(record []byte) {
		var name, value string
		if record[0] == kindNote && decode(record[1:], &name, &value) {
			notes[name] = value
		}
	})
	return State{State: state, Notes: notes}, err
}

// State describes an open store, without its notes.
func (s *Store) State() State {
	state, _ := s.dir.State() // else nothing is known of the disk
	state.Held = s.held()
	return State{State: state, Limit: s.o.Size}
}
