import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// EXT4_IOC_SHUTDOWN = _IOR('X', 125, __u32); 2 = without flushing the journal: what a power cut leaves.
const cutProgram = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(fd, 0x8004587d, struct.pack("I", 2))
`

/** An ext4 disk in a file, whose power can be cut. Only root may mount it: `undefined` for others. */
export class LoopDisk implements Disposable {
  readonly path: string
  readonly #home: string
  readonly #image: string

  private constructor(home: string) {
    this.#home = home
    this.#image = join(home, 'disk.img')
    this.path = join(home, 'mnt')
  }

  static open(sizeMb: number): LoopDisk | undefined {
    const disk = new LoopDisk(mkdtempSync(join(tmpdir(), 'loop-disk-')))
    try {
      writeFileSync(disk.#image, '')
      truncateSync(disk.#image, sizeMb * 1024 * 1024)
      run('mkfs.ext4', '-q', '-F', disk.#image)
      run('mkdir', disk.path)
      disk.mount()
      return disk
    } catch {
      rmSync(disk.#home, { recursive: true, force: true })
      return undefined
    }
  }

  mount(): void {
    run('mount', '-o', 'loop', this.#image, this.path)
  }

  unmount(): void {
    run('umount', this.path)
  }

  /** From now on nothing reaches the disk; what had not, is gone at the next mount. */
  cutPower(): void {
    run('python3', '-c', cutProgram, this.path)
  }

  [Symbol.dispose](): void {
    try {
      run('umount', '-l', this.path)
    } catch {
      // Not mounted now.
    }
    rmSync(this.#home, { recursive: true, force: true })
  }
}

function run(program: string, ...args: string[]): void {
  execFileSync(program, args, { stdio: 'ignore' })
}
