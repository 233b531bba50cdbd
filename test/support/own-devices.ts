import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { expect } from 'vitest'
import { type CommandOptions, createCommandAdapter } from '../../src/devices/command/command-adapter.ts'
import type { DeviceAddress } from '../../src/devices/device.ts'
import { createSpoolFolder } from '../../src/image/spool/spool-folder.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type DeviceJob, deviceJob } from '../contracts/device-adapter.ts'
import type { JobOptions } from '../contracts/flasher.ts'
import { filesBelow, temporaryFolder } from './wire.ts'

const page = resolve(import.meta.dirname, '../../docs/devices.md')
export const SECRET = 'swordfish "7"'

/** Writes the file of this name that docs/devices.md shows, in whose folder there are devices that run 1.0.0. */
export async function documented(
  name: string,
  files: Readonly<Record<string, string>>,
  [from, to]: readonly [string, string] = ['', ''],
): Promise<string> {
  const shown = new RegExp(`^\`${name}\`[^\n]*:\n\n\`\`\`\\w+\n([^]*?)^\`\`\`$`, 'm').exec(
    await readFile(page, 'utf8'),
  )
  if (shown?.[1] === undefined) throw new Error(`the page shows no ${name}`)
  const folder = await temporaryFolder()
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), text)
  }
  const path = join(folder, name)
  // The Node that is first in the path may be another.
  await writeFile(path, shown[1].replace('#!/usr/bin/env node', `#!${process.execPath}`).replace(from, to))
  await chmod(path, 0o755)
  return path
}

/** Boards of the documented module. */
export const boardFiles = { 'boards/board-1': '1.0.0\n' }
/** What is in the folder of a device by the documented program. */
export const labFiles = { 'lab-1/running': '1.0.0\n', 'lab-1/password': SECRET }
export const labAddress: DeviceAddress = { hostName: 'lab-1', userName: 'root', password: SECRET }

/** An adapter for a program of this text, whose devices are called as they like. */
export async function startCommand(text: string, options: Partial<CommandOptions> = {}) {
  const folder = await temporaryFolder()
  const program = join(folder, 'device')
  await writeFile(program, `#!/bin/sh\ncd '${folder}'\n${text}\n`, { mode: 0o755 })
  return { ...(await startProgramAdapter(program, options)), folder }
}

/** An adapter for a program, what it has logged, and what is left of it. */
export async function startProgramAdapter(program: string, options: Partial<CommandOptions> = {}) {
  const parent = await temporaryFolder()
  const images = createSpoolFolder(parent, (error) => expect.fail(String(error)))
  const said: { readonly operation: string; readonly target: string; readonly text: string }[] = []
  const log = { info: (facts: object) => void said.push(facts as (typeof said)[number]) }
  const adapter = createCommandAdapter({ clock: systemClock, program, images, log, ...options })
  return {
    adapter,
    said,
    parent,
    /** Programs that run, and images that are there. */
    open: async () => [...(await running(program)), ...(await filesBelow(parent))],
  }
}

/** The processes whose command line names this. */
async function running(name: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((one) => /^\d+$/.test(one))
  const lines = await Promise.all(
    pids.map(async (pid) => {
      // It may be gone by now.
      const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
      return `${pid} ${line.replaceAll('\0', ' ')}`
    }),
  )
  return lines.filter((line) => line.includes(name))
}

/** What a shell says for an end that is well. */
export const OK = `echo '{"ok":true}'`
export const FACTS = `echo '{"ok":true,"name":"lab-1","firmware":[{"id":"BIOS","version":"1.0.0"}]}'`
export const image = Buffer.alloc(100_000, 'firmware')

/** A job for what runs according to those facts. */
export function job(options: JobOptions = {}): DeviceJob {
  const firmware = { id: 'BIOS', name: 'BIOS', version: '1.0.0', updateable: true, of: 'system' } as const
  return deviceJob(labAddress, firmware, { image, version: '2.0.0', ...options })
}
