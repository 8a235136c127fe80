//! pcap and pcapng in and out, link and IP layers, TCP reassembly.
