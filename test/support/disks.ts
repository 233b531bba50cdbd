import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readlinkSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryFolder } from './wire.ts'

/** A disk of its own, which is gone when the test ends. */
export interface SmallDisk {
  readonly path: string
  /** Leaves so many bytes free. */
  readonly fill: (leaveBytes?: number) => void
  /** Takes away what filled it. */
  readonly empty: () => void
  readonly setReadOnly: (isReadOnly: boolean) => void
}

/** A small disk; `undefined` where nobody may mount one. */
export async function smallDisk(sizeBytes: number): Promise<SmallDisk | undefined> {
  const path = await temporaryFolder()
  if (!run('mount', '-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path)) return undefined
  onTestFinished(() => void run('umount', '--lazy', path))
  const filler = join(path, 'filler')
  return {
    path,
    fill: (leaveBytes = 0) => {
      const { bavail, bsize } = statfsSync(path)
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leaveBytes)))
    },
    empty: () => rmSync(filler),
    setReadOnly: (isReadOnly) => {
      if (!run('mount', '-o', `remount,${isReadOnly ? 'ro' : 'rw'}`, path)) throw new Error(`${path} is busy`)
    },
  }
}

/** What this process holds open below a folder, locks aside; nothing where the system does not tell. */
export function openBelow(folder: string): string[] {
  if (!existsSync('/proc/self/fd')) return []
  return readdirSync('/proc/self/fd')
    .map(target)
    .filter((file) => file.startsWith(folder) && !file.includes('/lock'))
}

/** How many files and sockets this process holds open; 0 where the system does not tell. */
export function openDescriptors(): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

function target(descriptor: string): string {
  try {
    return readlinkSync(join('/proc/self/fd', descriptor))
  } catch {
    return '' // the one that the list was read by
  }
}

function run(program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
