// SPDX-License-Identifier: GPL-2.0-or-later

// Writes down what the filter of tailscale.com v1.102.5 says about random packets under random rules:
// "go run . 1 60 20 >verdicts", in a module that requires that version.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
	"net/netip"
	"os"
	"strconv"

	"go4.org/netipx"
	"tailscale.com/net/packet"
	"tailscale.com/tailcfg"
	"tailscale.com/types/logger"
	"tailscale.com/wgengine/filter"
)

var r *rand.Rand

func pick[T any](x ...T) T { return x[r.Intn(len(x))] }

var v4 = []string{"100.64.0.1", "100.64.0.2", "100.64.0.3", "100.64.0.4", "10.0.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1", "169.254.169.254", "169.254.1.1"}
var v6 = []string{"fd7a:115c:a1e0::1", "fd7a:115c:a1e0::2", "fd7a:115c:a1e0::3", "::", "::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1", "ff02::1", "fd7a:115c:a1e0:0:ffff::"}
var pfx = []string{"*", "100.64.0.0/10", "100.64.0.0/30", "100.64.0.1/30", "0.0.0.0/0", "::/0", "fd7a:115c:a1e0::/48", "fd7a:115c:a1e0::2/127", "100.64.0.2-100.64.0.3", "100.64.0.3-100.64.0.2", "fd7a:115c:a1e0::1-fd7a:115c:a1e0::2", "bogus", "::ffff:100.64.0.2", "1.2.3.4/33", "100.64.0.1-fd7a::", "100.64.0.2-"}

func spec(src bool) string {
	switch r.Intn(4) {
	case 0:
		return pick(v4...)
	case 1:
		return pick(v6...)
	case 2:
		if src && r.Intn(2) == 0 {
			return pick("cap:a", "cap:b", "cap:")
		}
		return pick(pfx...)
	default:
		return pick("100.64.0.1", "fd7a:115c:a1e0::1", "*", "100.64.0.2", "fd7a:115c:a1e0::2")
	}
}

func rule() tailcfg.FilterRule {
	var f tailcfg.FilterRule
	for i := r.Intn(4); i >= 0; i-- {
		f.SrcIPs = append(f.SrcIPs, spec(true))
	}
	for i := r.Intn(3); i >= 0; i-- {
		p := tailcfg.NetPortRange{IP: spec(false)}
		switch r.Intn(4) {
		case 0:
			p.Ports = tailcfg.PortRangeAny
		case 1:
			a := uint16(r.Intn(8))
			p.Ports = tailcfg.PortRange{First: a, Last: a + uint16(r.Intn(4))}
		case 2:
			a := uint16(r.Intn(8))
			p.Ports = tailcfg.PortRange{First: a, Last: a}
		}
		f.DstPorts = append(f.DstPorts, p)
	}
	for i := r.Intn(5) - 2; i > 0; i-- {
		f.IPProto = append(f.IPProto, pick(1, 6, 17, 58, 132, 47, 2, 300, 6, 17, 43, 60, 0, 255, 99))
	}
	ok := len(f.IPProto) == 0
	for _, p := range f.IPProto {
		ok = ok || p < 256
	}
	if !ok { // we close these on purpose
		f.IPProto = nil
	}
	return f
}

func pkt() []byte {
	is6 := r.Intn(2) == 0
	proto := byte(pick(1, 6, 17, 58, 132, 47, 2, 99, 0, 255, 43, 60, 6, 17, 1, 58, r.Intn(256)))
	n := pick(0, 3, 4, 7, 8, 11, 12, 19, 20, 24, 40)
	if r.Intn(2) == 0 {
		n = 40
	}
	pl := make([]byte, n)
	r.Read(pl)
	if n >= 4 {
		binary.BigEndian.PutUint16(pl[0:], uint16(r.Intn(8)))
		binary.BigEndian.PutUint16(pl[2:], uint16(pick(r.Intn(12), r.Intn(12), 65535)))
	}
	if n >= 14 && proto == 6 {
		pl[13] = byte(pick(2, 18, 16, 0, 4, 1, 2, 6, 3))
	}
	if n >= 2 && (proto == 1 || proto == 58) {
		pl[0] = byte(pick(0, 3, 4, 5, 8, 11, 12, 18, 128, 129, 1, 2, 135, 13))
		pl[1] = byte(pick(0, 0, 0, 1))
	}
	frag := 0
	more := false
	if r.Intn(4) == 0 {
		frag = pick(0, 0, 1, 9, 10, 11, 100)
		more = r.Intn(2) == 0
	}
	if !is6 {
		opt := pick(0, 0, 0, 4, 8)
		b := make([]byte, 20+opt)
		b[0] = 0x40 | byte(5+opt/4)
		fl := uint16(frag)
		if more {
			fl |= 0x2000
		}
		binary.BigEndian.PutUint16(b[6:], fl)
		b[8] = 64
		b[9] = proto
		s := netip.MustParseAddr(pick(v4...)).As4()
		d := netip.MustParseAddr(pick(pick(v4...), "100.64.0.1", "100.64.0.1")).As4()
		copy(b[12:], s[:])
		copy(b[16:], d[:])
		b = append(b, pl...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		return b
	}
	b := make([]byte, 40)
	b[0] = 0x60
	b[6] = proto
	s := netip.MustParseAddr(pick(v6...)).As16()
	d := netip.MustParseAddr(pick(pick(v6...), "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::1")).As16()
	copy(b[8:], s[:])
	copy(b[24:], d[:])
	if frag != 0 || more {
		h := make([]byte, 8)
		h[0] = proto
		fl := uint16(frag) << 3
		if more {
			fl |= 1
		}
		binary.BigEndian.PutUint16(h[2:], fl)
		b[6] = 44
		b = append(b, h...)
	}
	b = append(b, pl...)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

func main() {
	seed, _ := strconv.Atoi(os.Args[1])
	rounds, _ := strconv.Atoi(os.Args[2])
	packets, _ := strconv.Atoi(os.Args[3])
	r = rand.New(rand.NewSource(int64(seed)))
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	var sb netipx.IPSetBuilder
	sb.Add(netip.MustParseAddr("100.64.0.1"))
	sb.Add(netip.MustParseAddr("fd7a:115c:a1e0::1"))
	local, _ := sb.IPSet()
	caps := map[netip.Addr]tailcfg.NodeCapability{
		netip.MustParseAddr("100.64.0.2"):        "a",
		netip.MustParseAddr("100.64.0.3"):        "b",
		netip.MustParseAddr("fd7a:115c:a1e0::2"): "a",
	}
	for i := 0; i < rounds; i++ {
		var rules []tailcfg.FilterRule
		for k := r.Intn(4); k > 0; k-- {
			rules = append(rules, rule())
		}
		if rules == nil {
			rules = []tailcfg.FilterRule{}
		}
		j, _ := json.Marshal(rules)
		mm, _ := filter.MatchesFromFilterRules(rules)
		f := filter.New(mm, func(ip netip.Addr, c tailcfg.NodeCapability) bool { return caps[ip] == c && c != "" }, local, local, nil, logger.Discard)
		fmt.Fprintf(w, "R %s\n", j)
		for k := 0; k < packets; k++ {
			b := pkt()
			var q packet.Parsed
			q.Decode(b)
			v := 0
			out := r.Intn(10) == 0
			if out {
				rs, _ := f.RunOut(&q, 0)
				if rs == filter.Accept {
					v = 1
				}
				fmt.Fprintf(w, "O %s %d\n", hex.EncodeToString(b), v)
				continue
			}
			if f.RunIn(&q, 0) == filter.Accept {
				v = 1
			}
			fmt.Fprintf(w, "I %s %d\n", hex.EncodeToString(b), v)
		}
	}
}
