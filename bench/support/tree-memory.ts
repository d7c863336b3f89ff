import { readdir, readFile } from 'node:fs/promises'

const pageBytes = 4096

/** Resident memory of a process and all its descendants, bytes, as Linux counts it (shared pages twice). */
export async function treeMemory(pid: number): Promise<number> {
  const processes = await Promise.all(
    (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(async (name) => statOf(Number(name))),
  )
  const of = new Set([pid])
  // A child's number may be below its parent's: look again until nothing is added.
  for (let before = 0; before !== of.size; ) {
    before = of.size
    for (const each of processes) if (each && of.has(each.parent)) of.add(each.pid)
  }
  return processes.reduce((sum, each) => sum + (each && of.has(each.pid) ? each.bytes : 0), 0)
}

async function statOf(pid: number): Promise<{ pid: number; parent: number; bytes: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return text ? { pid, parent: Number(fields[1]), bytes: Number(fields[21]) * pageBytes } : undefined
}
