import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addressAt } from '../src/http/reach.ts'
import { uris } from '../src/redfish/uris.ts'
import { type GaugedChild, startGauged } from './child.ts'

const FIRST_ADDRESS = '127.1.0.1'

/** BMCs in one process, and how long it took until the last one answered. */
export interface Fleet extends GaugedChild {
  readonly size: number
  readonly startMs: number
  /** Whom clients are told of: the next BMC has the next address. */
  readonly firstAddress: string
  readonly port: number
  /** Where its images are. */
  readonly spool: string
}

/** Starts a fleet whose BMCs are reached by their addresses and names; one BMC is no fleet. */
export async function startFleet(size: number, ...args: readonly string[]): Promise<Fleet> {
  const spool = await mkdtemp(join(tmpdir(), 'redflash-bench-'))
  const before = performance.now()
  const many = size > 1 ? ['--bmcs', String(size), '--reach', 'address,name'] : []
  const server = await startGauged('--no-https', '--spool', spool, ...many, ...args)
  const { port, hostname } = new URL(server.url)
  const last = size > 1 ? addressAt(FIRST_ADDRESS, size - 1) : hostname
  const answer = await fetch(`http://${last}:${port}${uris.root}/`)
  await answer.arrayBuffer()
  const startMs = performance.now() - before
  if (answer.status !== 200) throw new Error(`${last} answers ${answer.status}`)
  return {
    ...server,
    size,
    startMs,
    firstAddress: size > 1 ? FIRST_ADDRESS : hostname,
    port: Number(port),
    spool,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      await rm(spool, { recursive: true, force: true })
    },
  }
}
