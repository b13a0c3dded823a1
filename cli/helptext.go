package cli

// descriptions say more about the commands. What begins with a prompt is an
// example; docs/commands.md has the same texts, where they are run in the order
// of the commands, so each may build on those before it.
var descriptions = map[string]string{
	"create": `NAME is any path, such as climate/tas.csv; "AUTHORITY://" may stand in front. Any other --KEY VALUE becomes metadata of the archive.

$ datafs create climate/tas.csv --description 'surface temperature' --tag cmip5
created versioned archive <DataArchive local://climate/tas.csv>`,

	"update": `FILE is a file or a directory; "-" is standard input, and without FILE the path is asked for. FILE itself stays as it is. Of a directory, what belongs to version control systems or to DataFS (.git, .hg, .svn, .datafs) is left out and named. If the contents are those of the latest version, no version is made.

Without --bumpversion and --prerelease the third number of the version is raised; --prerelease alone goes on with the prerelease. Any other --KEY VALUE becomes metadata of the archive.

$ echo '2015,14.8' > tas.csv
$ datafs update climate/tas.csv tas.csv --message 'the first year'
uploaded data to <DataArchive local://climate/tas.csv>. new version 0.0.1 created.
$ echo '2016,15.0' >> tas.csv
$ datafs update climate/tas.csv tas.csv --bumpversion minor
uploaded data to <DataArchive local://climate/tas.csv>. version bumped 0.0.1 --> 0.1.`,

	"import": `The archives are named like the files, with the prefix and a slash in front. A file whose archive is there already becomes a new version of it, if it has changed. Links, empty and special files, and what cannot be the name of an archive, are skipped and named. Any other --KEY VALUE becomes metadata of the archives that are made.

The directory itself as one archive is what update makes.

$ mkdir runs
$ echo 0.31 > runs/a.csv
$ echo 0.36 > runs/b.csv
$ datafs import runs --prefix project/runs --tag draft
imported 2 files: 2 created, 0 updated, 0 unchanged, 0 skipped`,

	"download": `The file at PATH appears whole or stays as it was; its directory must be there. A file that is there is replaced if a version here has its bytes. Else this asks on a terminal, unless --yes is given, and is refused elsewhere (exit code 4); --force replaces it.

With - or /dev/stdout as PATH the contents go to standard output; a pipe or a terminal is written to as well.

A directory archive wants a directory that is not there or is empty. Long runs of zeros become holes, which take no room on the disk.

$ datafs download climate/tas.csv tas-2015.csv --version 0.0.1
downloaded v0.0.1 to tas-2015.csv`,

	"cat": `The bytes are those that were taken in, and each is verified before it is written.

$ datafs cat climate/tas.csv --version 0.0.1
2015,14.8`,

	"files": `One line for each file: its size in bytes, its BLAKE3 hash (b3sum prints the same), and its path in a directory archive.

$ datafs create runs
created versioned archive <DataArchive local://runs>
$ datafs update runs runs
uploaded data to <DataArchive local://runs>. new version 0.0.1 created.
$ datafs files runs
           5 ... a.csv
           5 ... b.csv`,

	"delete": `Asks first on a terminal, unless --yes is given. A new archive of that name starts without versions. "datafs undelete" brings the old one back until gc removes its content.

$ datafs delete project/runs/b.csv --yes
hint: datafs undelete project/runs/b.csv brings it back until gc's grace ends (14 days)
deleted archive <DataArchive local://project/runs/b.csv>`,

	"undelete": `The archive is as it was: metadata, tags, history, and each version under its number; also when the deletion was pushed (the next push takes it back), or was a colleague's. A version whose content is gone is named, and left out. Where there is a new archive of that name, --as gives the old one another.

$ datafs undelete project/runs/b.csv
brought back archive <DataArchive local://project/runs/b.csv> with 1 version
$ datafs delete project/runs/b.csv --yes --quiet`,

	"versions": `The list can be read as a Python literal; with --json, as JSON.

$ datafs versions climate/tas.csv
['0.0.1', '0.1']`,

	"history": `A list of records that can be read as a Python literal; with --json, as JSON. Setting dependencies adds a record with the version that has them.

$ datafs history runs
[{'version': '0.0.1',
  'algorithm': 'blake3',
  'checksum': '...',
  'dependencies': {},
  'message': None,
  'user_config': {},
  'updated': '...',
  'size': 10,
  'files': 2,
  'tree': '...'}]`,

	"log": `On a terminal it goes through a pager (PAGER, else less).

$ datafs log climate/tas.csv
version 0.1 (blake3 ...)
Date:      ...

version 0.0.1 (blake3 ...)
Date:      ...

    the first year`,

	"diff": `The second version is the latest unless it is given. Of a directory archive the files are listed that were added, removed or changed; the last line says how much of the new version's content the old one has too.

$ datafs diff climate/tas.csv 0.0.1
climate/tas.csv: 0.0.1 (10 B) --> 0.1 (20 B)
shared 0 B in 0 chunks, new 20 B in 1 chunk`,

	"metadata": `A dict that can be read as a Python literal; with --json, as JSON.

$ datafs metadata climate/tas.csv
{'description': 'surface temperature'}`,

	"update_metadata": `Each --KEY VALUE sets a key; all others stay as they are. Metadata belongs to the archive, not to a version.

$ datafs update_metadata climate/tas.csv --source 'Burke et al. (2015)'
$ datafs metadata climate/tas.csv
{'description': 'surface temperature', 'source': 'Burke et al. (2015)'}`,

	"get_dependencies": `A dict of names and versions that can be read as a Python literal; None stands for any version.

$ datafs get_dependencies climate/tas.csv
{}`,

	"set_dependencies": `Without --dependency there are none afterwards. Later versions inherit the dependencies. "latest", and a range such as 'runs>=1.0,<2', is recorded as the version that it stands for now. What an archive depends on need not be here: a warning says so, and with --strict it is an error, as is a version that was yanked.

$ datafs set_dependencies climate/tas.csv --dependency runs==0.0.1 --dependency project/runs/a.csv
$ datafs get_dependencies climate/tas.csv
{'project/runs/a.csv': None, 'runs': '0.0.1'}`,

	"get_tags": `In the order in which they were added, on one line.

$ datafs get_tags climate/tas.csv
cmip5`,

	"add_tags": `Tags are kept in lower case, each once.

$ datafs add_tags climate/tas.csv Monthly reviewed
$ datafs get_tags climate/tas.csv
cmip5 monthly reviewed`,

	"delete_tags": `A tag that is not there is no error.

$ datafs delete_tags climate/tas.csv reviewed
$ datafs get_tags climate/tas.csv
cmip5 monthly`,

	"filter": `All of them, or those with the prefix whose names match the pattern: by the engine path the whole name as a shell pattern, in which * also matches a slash; by str a part of the name; by regex an expression that is found in the name.

$ datafs filter --pattern '*.csv'
climate/tas.csv
project/runs/a.csv
$ datafs filter --prefix pro
project/runs/a.csv`,

	"search": `Without tags, all archives.

$ datafs search cmip5 monthly
climate/tas.csv`,

	"listdir": `Directories of the name space, archives with contents and, for the full name of a versioned archive, its versions. '' is the top.

$ datafs listdir climate
tas.csv
$ datafs listdir climate/tas.csv
0.0.1
0.1`,

	"init": `Makes DIR/.datafs. Commands in DIR and below use it from then on. Without such a directory they use the repository of the profile, which makes itself. Its own configuration, .datafs/config.yml, will be trusted, unless there is one already.

$ mkdir project
$ datafs init project
initialized repository .../project/.datafs`,

	"stats": `Counts archives, versions and their size, how much of that is different content, and what it takes on disk.

$ datafs stats
repository    ...
archives      3
versions      4
...`,

	"fsck": `Checks the index, the journal, and that all that the versions need is here, or was pushed. With --full it reads and verifies every stored byte, too; --read-data-subset and --since do so for some of the packs. It names each version and file that is damaged, ends with exit code 5 when there is one, and changes nothing but the index, which takes in packs that it did not know.

With --repair it first repairs what it can. It copies the good chunks of damaged packs and moves those packs to the directory quarantine; it deletes nothing. It rebuilds a damaged index, and fetches lost content from the authorities. It lists what has no other copy, and only then ends with exit code 5. It reads everything, unless --read-data-subset or --since is given.

With --rebuild-index it builds a new index from packs and journal, and replaces the old one at the end. This loses nothing.

$ datafs fsck --full
checked 3 archives, 4 versions, ...: all is well
versions that are whole here: 4`,

	"gc": `What was deleted or replaced stays for a grace period, 14 days unless the profile says otherwise (gc: {grace: 30d}) or --grace does: until then "datafs undelete" brings archives back. gc says how much waits, and until when. What an interrupted write left goes at once. It changes nothing while a pack cannot be read: "datafs fsck --repair" comes first then. On a full disk it frees what needs no room.

It also gathers small packs into large ones. Updates wait for it, reads do not.

$ datafs gc --dry-run
would have removed ...
...`,

	"push": `Sends contents to the archives' authorities, and then versions, metadata and tags to the team's catalogue; first of all it brings the team's news. With names, only of those archives. What the team has already is not sent again, and a push that was broken off goes on with the next one.

An archive that is in conflict with the team's is left out; the others are pushed, and the exit code is 4. So is one with a version whose content here is damaged; the version is named, and the exit code is 5. With --renumber, versions that the team has given the same number move behind the team's.

$ mkdir shared
$ echo 'authorities: {team: {service: OSFS, args: [shared]}}' > team.yml
$ datafs --config-file team.yml push
pushed climate/tas.csv 0.0.1
pushed climate/tas.csv 0.1
pushed project/runs/a.csv 0.0.1
pushed runs 0.0.1
4 versions: 40 B new (... sent in 1 pack), 5 B shared, ... requests`,

	"pull": `Brings what the team has changed of all archives: their names, versions, metadata, tags and history. Contents come of the archives that are named, else of those that the requirements pin; with --all, the latest version of every archive. Other contents are fetched when they are read.

$ mkdir colleague
$ datafs init colleague
initialized repository .../colleague/.datafs
$ datafs --config-file team.yml --repo colleague pull runs
3 new archives, 4 new versions
pulled runs 0.0.1 (10 B)`,

	"status": `Compares the repository with what the team had when it was asked last, without asking again.

$ datafs --config-file team.yml add_tags runs checked
$ datafs --config-file team.yml status
runs: tags: +checked
last pull: ...`,

	"resolve": `After a conflict a number reads as the team's version, and one's own can be read as VERSION~local. --renumber gives one's own new numbers, --theirs drops them. Where both sides changed the metadata, --ours and --theirs settle the keys that are named, or all.

$ echo 0.34 > ours.csv
$ datafs --config-file team.yml update runs ours.csv
uploaded data to <DataArchive team://runs>. version bumped 0.0.1 --> 0.0.2.
$ echo 0.35 > theirs.csv
$ datafs --config-file team.yml --repo colleague update runs theirs.csv
uploaded data to <DataArchive team://runs>. version bumped 0.0.1 --> 0.0.2.
$ datafs --config-file team.yml --repo colleague push --quiet
$ datafs --config-file team.yml push
...
(exit 4)
$ datafs --config-file team.yml resolve runs --renumber
runs 0.0.2 is 0.0.3 now`,

	"configure": `Each --KEY VALUE goes into the profile's user_config in the configuration file, and is recorded with every version that you write from then on. The file is made if needed.

--trust DIR is for a repository whose own config.yml you have read: it may then use your credentials and the values of variables. That is noted in datafs/trusted beside your configuration, and holds until the repository's path, id or owner changes, as long as nobody else can write config.yml. What "init" makes is trusted from the start.

$ datafs configure --username 'My Name' --contact me@example.com`,

	"admin": `Without a manager these settings are those of the repository.

$ datafs admin tables
datafs`,

	"create-table": `NAME is the profile's table unless it is given. The embedded manager makes its own table.

$ datafs admin create-table trial
created table trial`,

	"delete-table": `Asks first on a terminal, unless --yes is given; without a terminal it wants --yes. NAME is the profile's table unless it is given.

$ datafs admin delete-table trial --yes
deleted table trial`,

	"tables": `One name per line.

$ datafs admin tables
datafs`,

	"require-metadata": `Adds to what is required. PROMPT is what create --helper asks with; it is the key unless it is given.

$ datafs admin require-metadata description='Enter a description'
$ datafs create climate/pr.csv
datafs: Required value "description" not found. Use helper=True or the --helper flag for assistance.
(exit 2)`,

	"require-user-config": `Adds to what is required of those who create and update archives. PROMPT is what configure --helper asks with; it is the key unless it is given.

$ datafs admin require-user-config username='Your name' contact='Your e-mail address'`,

	"require-pattern": `Adds to what is required of names of new archives. Each expression must be found in the name; anchor it with ^ and $.

$ datafs admin require-pattern '\.(csv|nc)$'
$ datafs create climate/notes --description 'what we found'
datafs: archive name does not match pattern '\.(csv|nc)$'
(exit 2)`,

	"show": `User configuration and metadata with their prompts, and patterns of names.

$ datafs admin show
user config  contact=Your e-mail address
user config  username=Your name
metadata     description=Enter a description
pattern      \.(csv|nc)$`,

	"migrate": `PROFILE is the one in the configuration file with which the original DataFS, 0.7 in Python, was used: its manager (MongoDBManager or DynamoDBManager) and its authorities (OSFS or S3FS) are read, and never changed. The archives come into the repository of the profile in use, and what is required of archives and users with them unless ARCHIVE is given; push then sends them to the team.

Versions, contents, metadata, tags, dependencies, messages, users and times stay as they were. Every file is compared with the checksum that was recorded of it. What is broken there, such as a version whose file is missing or one that was written twice at once, is printed and left out, and does not count as an error. Migrating again brings what is new there; what is here already is not read again.

$ mkdir -p original/model/run.csv
$ echo 0.31 > original/model/run.csv/0.0.1
$ cat > exported.json <<END
> {"_id": "model/run.csv", "authority_name": "disk", "versioned": true, "version_history": [
>   {"version": "0.0.1", "checksum": "8a686ca6b324bd5f71ce2e4029da0a49", "updated": "20170301-093000"},
>   {"version": "0.0.2", "checksum": "1c7f5dc1f2b3ba2db1bd7b2a5c4e1a0f", "updated": "20170302-100000"}]}
> END
$ echo 'profiles: {default: {}, old: {authorities: {disk: {service: OSFS, args: [original]}}}}' > both.yml
$ datafs --config-file both.yml migrate old --documents exported.json
broken: model/run.csv 0.0.2: its file model/run.csv/0.0.2 is missing
migrated model/run.csv: 1 version
migrated 1 archive and 1 version (5 B): 0 unchanged, 0 changed, 1 broken`,

	"doctor": `Looks at the configuration, the repository and its filesystem, the index, the clock, each authority and the manager, and says what to do about what is wrong. At authorities it writes small files called probe-..., which it removes again; a database is only read. What fails is not tried again, unless --retry-time is given. It ends with exit code 1 when there is a problem; a warning is none.

$ datafs doctor
ok       configuration: ...
ok       user configuration: all that is required is set
ok       repository: ...
ok       index and journal: they are whole and agree; "datafs fsck" checks the contents
ok       clock: ...
ok       authority local: the repository itself
ok       manager: none, and no authority: this repository is all there is
all is well`,
}
