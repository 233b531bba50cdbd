import { tmpdir } from 'node:os'
import { type CommandOptions, createCommandAdapter } from '../devices/command/command-adapter.ts'
import { findProgram } from '../devices/command/program.ts'
import { createSpoolFolder } from '../image/spool/spool-folder.ts'
import type { Clock } from '../lib/clock.ts'
import type { Method } from './method.ts'
import { loadUserModule } from './user-module.ts'

/** The ways of the user's own to reach devices; none where a name is empty. */
export interface OwnOptions {
  readonly clock: Clock
  /** An executable. */
  readonly deviceCommand: string
  /** A module. */
  readonly deviceModule: string
  /** Below which images are put for an executable; the system's temporary folder unless given. */
  readonly spool?: string
  readonly log?: CommandOptions['log']
  readonly failed: (error: unknown) => void
}

/** What the others are called. */
const others = ['Redfish', 'AMT', 'MQTT', 'Command']

/** Makes them. Rejects with an Error that tells what is wrong with a file. */
export async function makeOwnMethods(options: OwnOptions): Promise<readonly Method[]> {
  const { clock, deviceCommand, deviceModule } = options
  return [
    ...(deviceCommand === '' ? [] : [await commandMethod(options)]),
    ...(deviceModule === '' ? [] : [await loadUserModule(deviceModule, { clock, others })]),
  ]
}

async function commandMethod({
  clock,
  deviceCommand,
  spool = tmpdir(),
  log,
  failed,
}: OwnOptions): Promise<Method> {
  const program = await findProgram(deviceCommand).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`deviceCommand ${deviceCommand}: ${why}`, { cause: error })
  })
  const images = createSpoolFolder(spool, failed)
  return {
    id: 'Command',
    type: 'OEM',
    variant: 'Command',
    adapter: createCommandAdapter({ clock, program, images, log }),
  }
}
