import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import type { EmulatorOptions } from '../../src/index.ts'
import { startWire } from './wire.ts'

const execute = promisify(execFile)

/** How long a test may take that other people's programs have a part in. */
export const PATIENCE_MS = 60_000
/** Debian's own: the one that its packages of Python modules are for. */
export const PYTHON = '/usr/bin/python3'

// Proxies, and authorities that clients ask although they are told to check none.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/_proxy$|^(REQUESTS|CURL)_CA_BUNDLE$|^SSL_CERT_(FILE|DIR)$|^PYTHONPATH$/i.test(name),
  ),
)
const python = { PYTHONWARNINGS: 'ignore', PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' }

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs a program; to what it printed. Rejects with everything that it said when it fails. */
export async function run(
  program: string,
  args: readonly string[],
  { env = {}, cwd }: RunOptions = {},
): Promise<string> {
  const options = { env: { ...environment, ...python, ...env }, timeout: PATIENCE_MS, ...(cwd && { cwd }) }
  const running = execute(program, args, { ...options, maxBuffer: 2 ** 24 })
  // Nobody answers what it may ask.
  running.child.stdin?.end()
  const { stdout } = await running.catch((error: { readonly stdout?: string; readonly stderr?: string }) => {
    throw new Error(`${program} failed:\n${error.stdout}\n${error.stderr}`, { cause: error })
  })
  return stdout
}

/** Whether a program is there and works when it is asked for nothing much. */
export function works(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync(program, args, { env: { ...environment, ...python, ...env } }).status === 0
}

/** For the name of tests that need something of the machine. */
export function absent(isThere: boolean, what: string): string {
  return isThere ? '' : ` (skipped: no ${what} here)`
}

/** The folder with checkouts of other people's tools, as the conformance run has it too. */
export const TOOLS = 'CONFORMANCE_TOOLS'

/** A checkout in that folder, called as its repository is, or with its owner before that. */
export function checkout(owner: string, name: string): string | undefined {
  const folder = process.env[TOOLS]
  if (folder === undefined || folder === '') return undefined
  return [name, `${owner}+${name}`].map((one) => resolve(join(folder, one))).find((path) => existsSync(path))
}

/** An emulator by HTTP and HTTPS, as most of these clients want it. */
export async function startBoth(options: EmulatorOptions = {}) {
  const wire = await startWire({ https: true, ...options })
  return { ...wire, httpsUrl: wire.emulator.httpsUrl ?? '' }
}
