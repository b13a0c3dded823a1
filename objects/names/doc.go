// Package names knows what the names of archives and of files mean to those who
// take them at their word: a file system, which takes several spellings for one
// name; the programs that keep their own files under names such as ".git"; and
// a terminal, which obeys control characters. It is not for the grammar of
// archive names, which is in package refs. Its invariant: whether a name is safe
// depends on nothing but the name, the same way on every system.
package names
