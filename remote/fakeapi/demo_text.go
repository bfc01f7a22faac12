package fakeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

func welcome() []byte {
	return []byte(`Welcome to assetfs.

The files around this one are remote assets. They look like ordinary files
because, to your programs, they are: none of them is on your disk until
somebody reads it, and then only the part that was read. In this demo the
remote side is a small server inside the same process, reached over real HTTP,
so everything you see is what you would see with the real service. Nothing
leaves your machine, and nothing costs money.

Things to try:

  ls -l                         names and sizes come from the assets themselves
  xdg-open sunrise.png          a picture (or: open, eog, feh, a browser)
  mpv music-box.wav             a tune; seeking works before it has all arrived
  mpv lava-lamp.gif             a loop without a seam
  jq . planets.json             any tool will do
  sha256sum one-gibibyte.bin    a gibibyte, streamed; run it twice: the second
                                time no byte is fetched again
  tail -c 100 one-gibibyte.bin  on a fresh mount, the end without the middle
  du -h *                       what is here by now, as opposed to ls -l
  ls -l by-id                   the same files under their IDs, for scripts

And the awkward ones, which real services have too:

  postcard.png                  two assets have this name, so one of the files
                                carries its ID in brackets
  tide-table.txt                its server tells nobody how long it is; ls may
                                show 0 until it has been read once
  re_1011                       can't be read, as the account is out of money.
                                Try  cat re_1011  and then
                                getfattr -n user.assetfs.error re_1011
                                to see what the server said
`)
}

func greetings() []byte {
	return []byte(`Deutsch     Grüße aus der Ferne! Der Name dieser Datei hat Umlaute.
中文        你好！这个文件的名字里有汉字。
Русский     Привет! В имени этого файла есть кириллица.
Ελληνικά    Γεια σου! Το περιεχόμενο είναι κι αυτό Unicode.
日本語      こんにちは。中身もユニコードです。
Français    Salut ! Les accents aussi sont arrivés : é è ê ë ç œ.
English     Hello! This name travelled as filename*=UTF-8''Gr%C3%BC%C3%9Fe...
`)
}

// planets is a table of the solar system, with rounded figures.
func planets() []byte {
	type planet struct {
		Name         string  `json:"name"`
		RadiusKM     float64 `json:"mean_radius_km"`
		DistanceAU   float64 `json:"distance_from_sun_au"`
		YearDays     float64 `json:"year_in_earth_days"`
		LightMinutes float64 `json:"minutes_of_light_from_sun"`
	}
	all := []planet{
		{Name: "Mercury", RadiusKM: 2440, DistanceAU: 0.387, YearDays: 88.0},
		{Name: "Venus", RadiusKM: 6052, DistanceAU: 0.723, YearDays: 224.7},
		{Name: "Earth", RadiusKM: 6371, DistanceAU: 1.000, YearDays: 365.3},
		{Name: "Mars", RadiusKM: 3390, DistanceAU: 1.524, YearDays: 687.0},
		{Name: "Jupiter", RadiusKM: 69911, DistanceAU: 5.203, YearDays: 4333},
		{Name: "Saturn", RadiusKM: 58232, DistanceAU: 9.537, YearDays: 10759},
		{Name: "Uranus", RadiusKM: 25362, DistanceAU: 19.19, YearDays: 30689},
		{Name: "Neptune", RadiusKM: 24622, DistanceAU: 30.07, YearDays: 60182},
	}
	const minutesPerAU = 8.317 // 149 597 871 km at 299 792.458 km/s
	for i := range all {
		all[i].LightMinutes = math.Round(all[i].DistanceAU*minutesPerAU*10) / 10
	}
	b, err := json.MarshalIndent(map[string]any{"star": "Sun", "planets": all}, "", "  ")
	if err != nil {
		panic(err) // it holds only numbers and strings
	}
	return append(b, '\n')
}

// tideTable is a year of hourly tides in a harbour that does not exist. It adds the two main
// waves, of moon and sun, which coincide every fortnight.
func tideTable() []byte {
	const (
		moon = 12.4206 // hours, the principal lunar wave M2
		sun  = 12.0    // hours, the principal solar wave S2
	)
	var b bytes.Buffer
	b.WriteString("Tides at Port Nowhere, 2026 (metres above datum)\n\n")
	t := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	for h := 0; t.Year() == 2026; h++ {
		level := 3 + 1.8*math.Cos(2*math.Pi*float64(h)/moon) + 0.6*math.Cos(2*math.Pi*float64(h)/sun)
		fmt.Fprintf(&b, "%s  %4.1f  %s\n", t.Format("Jan 02 15:04"), level, strings.Repeat("~", int(level*8)))
		t = t.Add(time.Hour)
	}
	return b.Bytes()
}
