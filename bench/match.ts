import { createHash } from 'node:crypto'
import { buffer } from 'node:stream/consumers'
import { createBmc } from '../src/bmc/bmc.ts'
import type { ComponentFacts } from '../src/bmc/machine.ts'
import { loadMachine } from '../src/bmc/mockup-folder.ts'
import { pldmBuilder } from '../src/image/build/pldm.ts'
import { inspectImage } from '../src/image/inspect.ts'
import { createDigests } from '../src/image/digests/stream-digests.ts'
import { systemClock } from '../src/lib/clock.ts'
import { decide } from '../src/update/policy.ts'
import { below, median, type Row } from './row.ts'

const ROUNDS = 41
const KINDS = 200
const ITEMS = 1_000
const COMPONENT_BYTES = 1_024
const MAX_MS = 20

/** Reading a PLDM package of 200 components and finding what of 1,000 it is for, against one digest of its bytes. */
export async function benchMatch(): Promise<Row[]> {
  const machine = loadMachine('rackmount')
  const nic = machine.components.get('NIC-1')
  if (nic === undefined) throw new Error('rackmount has no NIC-1')
  const items = Array.from({ length: ITEMS }, (_, n) => itemOf(nic, n))
  const bmc = createBmc(
    '1',
    { ...machine, components: new Map(items.map((one) => [one.id, one])) },
    new Map(),
  )
  const image = await buffer(
    pldmBuilder.build({
      components: items.slice(0, KINDS).map(({ id, softwareId, behaviour: { identity } }) => ({
        name: id,
        version: '99.0.0',
        softwareId,
        ...(identity && { identity }),
        sizeBytes: COMPONENT_BYTES,
      })),
    }),
  )
  const times = { ours: [] as number[], digest: [] as number[] }
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now()
    const reader = inspectImage(createDigests(systemClock))
    await reader.write(image)
    const contents = await reader.end()
    if (!contents.ok) throw new Error(JSON.stringify(contents.problem))
    const decisions = decide(bmc, contents.value, request)
    times.ours.push(performance.now() - started)
    if (decisions.filter(({ kind }) => kind === 'update').length !== ITEMS)
      throw new Error('not all were found')
    const again = performance.now()
    createHash('sha256').update(image).digest()
    times.digest.push(performance.now() - again)
  }
  return [
    below(MAX_MS, {
      name: 'match: 200 in a package, 1,000 in the inventory',
      ours: median(times.ours),
      baseline: median(times.digest),
      show: (ms) => `${ms.toFixed(2)} ms`,
    }),
  ]
}

const request = {
  targets: undefined,
  exclude: new Set<string>(),
  force: false,
  applyTime: 'Immediate',
  stage: false,
  keepsImage: false,
  dryRun: false,
  sha256: undefined,
} as const

/** All of one vendor and one component number: only what says which device they are tells the kinds apart. */
function itemOf(facts: ComponentFacts, n: number): ComponentFacts {
  const kind = (n % KINDS).toString(16).padStart(4, '0')
  const descriptors = [
    { type: 0x0000, data: '01fe' },
    { type: 0x0101, data: '01fe' },
    { type: 0x0102, data: '0100' },
    { type: 0x0100, data: kind },
  ]
  const pldm = { descriptors, classification: 10, identifier: 1 }
  return {
    ...facts,
    id: `NIC-${n}`,
    softwareId: kind,
    behaviour: { ...facts.behaviour, identity: { pldm } },
  }
}
