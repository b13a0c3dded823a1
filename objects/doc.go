// Package objects keeps content: it cuts files into chunks, names each chunk
// by its BLAKE3 hash, compresses it, gathers chunks in packs, and describes a
// file or a directory tree as a tree of such chunks. It knows nothing of
// archives, versions or remote storage. Its one invariant: a name (a pack's
// file name, an id in the index, a tree id handed out) appears only after all
// that it names is durably on disk.
//
// # The format, byte by byte
//
// All integers are little-endian. "uvarint" is the unsigned LEB128 of
// encoding/binary. An id is the 32 bytes of BLAKE3-256 (unkeyed, default
// output length) over the raw bytes that it names.
//
// # Repository
//
//	datafs.json   {"format": 1, "id": "...", "chunker": {"algorithm": "gear-v1", "min": 16384, "avg": 65536, "max": 262144}}
//	packs/ab/ID   a pack; ID is its id in lower-case hex, ab its first two digits
//	tmp/          files being written; may be removed when nobody writes
//
// A reader refuses a format number that it does not know, and a datafs.json of
// more than 64 KiB. The line ends in "blake3": "SUM"}, the BLAKE3 in lower-case
// hex of all that stands before the comma in front of it, white space between
// JSON's tokens left out; a line whose checksum is another one is refused. Old
// lines have none: they say nothing but the three fields. Two repositories that share storage must agree in the
// chunker's algorithm and sizes.
//
// # Chunker "gear-v1"
//
// FastCDC (Xia et al., USENIX ATC 2016) with normalised chunking. The gear
// table has 256 words of 64 bits; word i is the first 8 bytes of BLAKE3 over
// the 15 bytes "datafs gear v1" followed by the byte i. With bits = log2(avg),
// the strict mask has the bits+2 highest of 64 bits set, the loose mask the
// bits-2 highest. A chunk that starts at s ends
//
//   - at the end of the file, if fewer than min+1 bytes are left;
//   - else after the first byte at i >= s+min whose hash h has h & mask = 0,
//     with the strict mask while i-s < avg and the loose mask from there on;
//   - else at s+max, or at the end of the file.
//
// The hash is h = (h << 1) + gear[byte] modulo 2^64. At s+min it has been fed
// exactly the 64 bytes before s+min, starting from h = 0; so a cut depends on
// nothing but the 65 bytes up to it and the distance from the chunk's start.
//
// # Stored chunk
//
// The raw bytes go through a filter, then a codec:
//
//	filter 0   none
//	filter 2, 4, 8   byte shuffle of words of that many bytes: with n = len/width
//	           whole words, first byte 0 of each word, then byte 1 of each, ...;
//	           the len%width bytes that are left over follow unchanged
//	filter 18, 20, 24   the same with width 2, 4, 8; then in each of these planes every
//	           byte but the first is replaced by its difference from the byte before it,
//	           modulo 256 (bytedelta in Blosc2); what is left over stays
//	codec 0    raw
//	codec 1    zstd (RFC 8878), frames one behind the other, of which the first announces
//	           its content size
//	codec 2    s2 block (github.com/klauspost/compress/s2)
//	codec 3    a delta: the difference from one or two other chunks, its bases, only in
//	           a repository, never at an authority (filter 0). Its stored form:
//	           number of bases u8 (1 or 2), that many ids (32); codec u8 and filter
//	           u8 of the literals (codec neither 3 nor 4); uvarint length of the
//	           copies in bytes, copies, literals by that codec and filter.
//	           A copy: uvarint number of literals before it, uvarint length (not 0),
//	           zigzag varint of its offset in the bases, one behind the other, minus
//	           the end of the copy before it there (at first 0) and minus the number
//	           of literals before it. The literals that are left follow the last copy
//	codec 4    a node with the places of what it names, only at an authority (filter 0):
//	           inner codec u8, inner filter u8, inner stored length u32, the node's
//	           stored bytes by that codec and filter; then uvarint number of packs,
//	           that many pack ids (32); then for each child, in the node's order:
//	           uvarint pack (0: this one, n: the n-th of the list), zigzag varint of
//	           the offset minus the end of the child before it in that pack (0 for the
//	           first), uvarint stored length, codec u8, filter u8, and for a node
//	           uvarint raw length
//
// Other values are refused. A chunk has at most 16 MiB raw.
//
// The bases of a delta are whole chunks: none is a delta itself wherever it lies.
// A chunk may lie in one pack whole and in another as a delta; who looks it up
// takes it whole where it can. As long as a delta is in a pack its bases are in
// packs too, also when nothing else needs the delta.
//
// # Pack
//
//	header    "DFSPACK" and the version byte 1
//	chunks    stored bytes, one after another
//	table     count entries of 50 bytes, ascending by id, none twice:
//	          id (32), offset u64, stored length u32, raw length u32, codec u8, filter u8
//	trailer   56 bytes: table offset u64, count u32, version u32 = 1,
//	          pack id (32), "DFSPEND" and the byte 1
//
// The pack id is the BLAKE3 of the table. The table ends where the trailer
// begins. Offsets count from the beginning of the file; every chunk lies
// between header and table.
//
// # Nodes
//
// What describes content is itself stored as chunks, called nodes. A node is
//
//	"DFSN", version u8 = 1, kind u8, level u8, then kind's header, then items to the end
//
// Kind 1, content: the chunks of one file. No header. An item is an id (32)
// and a uvarint length: at level 0 a chunk and its raw length, at level n a
// node of level n-1 and the sum of the lengths in it. No length is 0.
//
// Kind 2, listing: the entries of a tree. A listing that is a tree's root is
// of kind 3, root, and has a header: uvarint files, uvarint bytes (the number
// of entries that are not directories, and the sum of their sizes). At level 0
// an item is an entry, at level n it is the id (32) of a listing of level n-1,
// followed by a uvarint length and the bytes of the path of the first entry
// below it.
//
// An entry is: kind u8 (1 file, 2 executable file, 3 directory, 4 symbolic
// link), uvarint length and bytes of the path, and then
//
//	file        uvarint size, hash (32, BLAKE3 of the whole file), content
//	directory   nothing (only empty directories have an entry)
//	link        uvarint length and bytes of the target
//
// Content is a u8: 0, then a uvarint count and that many items (id, uvarint
// length) in place; or n > 0, then the id (32) of a content node of level n-1.
// At most 8 items stand in place.
//
// Paths are UTF-8 or any other bytes but NUL, components separated by "/",
// none of them empty, "." or ".."; entries ascend in the order of their
// components (that is, of the bytes of the path with "/" taken as 0), and no
// entry lies below one that is not a directory. A path or a link's target has
// at most 64 KiB; a file and a tree have at most 2^62 bytes, and so have the
// lengths in a node together. A tree that is a single file has one entry, with
// the empty path. A link's target is relative, has ".."
// only at its beginning, and there no more often than the link has parents.
//
// Lists are cut into nodes by content, so that a change in one place makes few
// new nodes. A node ends after an item whose boundary word is divisible by 256
// once it has 32 items, or when it has 4,096 items or 256 KiB, the 7 bytes of
// the header common to all nodes included. The boundary
// word is the first 4 bytes of the item's id; for an entry, of the BLAKE3 of
// the entry's bytes. Levels are added until one node is left. A node has at
// most 1 MiB and a level of at most 8.
//
// The tree id is the id of the root node. Since every rule above is fixed by
// the content and the chunker's parameters, equal content has equal tree ids.
package objects
