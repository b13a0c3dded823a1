package cli

// reproduceHelp is a part of descriptions: requirements and what becomes of them.
var reproduceHelp = map[string]string{
	"checkout": `Writes the archives that are named, else what is required, to a directory: an archive climate/tas.csv is the file DIR/climate/tas.csv, a directory archive lies below its name. Names take the versions that the requirements, or the lock beside them, pin. Only what changed is written, and running it again completes what was interrupted.

What an earlier checkout wrote is replaced. Files that were edited since, or that no checkout wrote, are kept and named (exit code 4), but for --force. --prune removes what was written before and is not wanted any more. With --locked the lock decides alone, and a byte that differs is an error. "datafs status --checkout DIR" says what was edited, and with exit code 7 what could not be read.

$ datafs checkout -r paper.txt --dir paper --link copy
checked out climate/tas.csv 0.0.1 (1 file, 10 B)
1 file written (10 B), 0 unchanged, 0 removed, by copy`,

	"yank": `The version stays, and can be read by its number, with a warning. It is not chosen any more where none is named, by "latest" or by a range. Push and pull carry the mark; the number is never given again.

--undo takes it back. To yank a version again changes the reason.

$ datafs yank climate/tas.csv==0.1 --reason 'a wrong unit'
yanked climate/tas.csv 0.1: a wrong unit
$ datafs yank climate/tas.csv==0.1 --undo
climate/tas.csv 0.1 is no longer yanked`,

	"lock": `Resolves the requirements and writes the versions, and the hashes of all their files, into the lock beside them: paper.txt has paper.lock. What the lock that is there has is kept while it satisfies; --upgrade chooses anew. With --deps the lock also has what the versions depend on, and goes on to have it until --deps=false. "checkout --locked" restores exactly what a lock says, anywhere.

One line is printed for each archive that came, moved or went. --check needs nothing but the two files.

$ echo 'climate/tas.csv==0.0.1' > paper.txt
$ datafs lock -r paper.txt
+ climate/tas.csv 0.0.1
locked 1 archive in paper.lock`,

	"freeze": `Prints lines for a requirements file: of the archives that are named, else of the requirements, else of all archives. What the lock beside the requirements has is kept while it satisfies.

$ datafs freeze climate/tas.csv
climate/tas.csv==0.1`,

	"outdated": `The current version is the one in the lock beside the requirements, else the one that they choose; the wanted one is the newest that they allow, and the latest one the newest of all. Of an archive without versions, #1 is its first contents.

$ datafs outdated -r paper.txt
archive          current  wanted  latest
climate/tas.csv  0.0.1    0.0.1   0.1`,

	"why": `Prints the version, and each chain that leads to it from a line of the requirements through dependencies, the shortest first.

$ datafs why climate/tas.csv -r paper.txt
climate/tas.csv 0.0.1
    paper.txt:1: climate/tas.csv==0.0.1`,

	"audit": `Looks through the archives that are named, else through the requirements and the lock beside them, and through all that these versions depend on as it was recorded. Exit code 1 where there is anything.

$ datafs audit -r paper.txt
no yanked or missing versions are used`,

	"graph": `The dependencies are those that were recorded: the version, or for a name without one, "unpinned", the version that it stood for then. What is not here is marked, and what hangs below an archive is drawn once. With --reverse, the latest versions of archives count as what depends on others.

dot is for Graphviz, mermaid for pages that draw it, and json for programs.

$ datafs graph climate/tas.csv
climate/tas.csv 0.1
├── project/runs/a.csv 0.0.1 (unpinned)
└── runs 0.0.1`,

	"stale": `One line for each archive, all unless some are named, and each of its recorded dependencies that has a newer version: which one was used, which one there is, and whether the patch, minor or major number was raised, or only a prerelease came. Yanked versions do not count.

$ datafs stale
nothing is stale`,

	"run": `The requirements, or with --locked exactly what their lock says, are checked out into a directory whose path COMMAND finds in DATAFS_CHECKOUT. It runs in the current directory with the same standard streams, and its exit status is passed on: 128 and the number of a signal that ended it, 127 where there is no such program. The repository is free meanwhile.

If it ends with 0, and all FILEs are there, each becomes a version of its ARCHIVE. That depends on exactly what was checked out; the command line, the time and how long it took stand in the log behind the text of --message. After an interrupt nothing is published. What is published is said on standard error; with --json it is the only thing on standard output.

$ datafs run -r paper.txt --create --out climate/last.csv=last.csv -- sh -c 'tail -n 1 "$DATAFS_CHECKOUT/climate/tas.csv" > last.csv'
datafs: uploaded last.csv to <DataArchive local://climate/last.csv>. new version 0.0.1 created.
$ datafs get_dependencies climate/last.csv
{'climate/tas.csv': '0.0.1'}
$ datafs delete climate/last.csv --yes
hint: datafs undelete climate/last.csv brings it back until gc's grace ends (14 days)
deleted archive <DataArchive local://climate/last.csv>`,
}
