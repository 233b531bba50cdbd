import { createHash } from 'node:crypto'
import { isActive } from './banks.ts'
import { type Bmc, type Component, listComponents } from './bmc.ts'

/** What a root of trust finds where firmware runs. */
export interface Measured {
  /** The SHA-256 digest of the component's bytes. */
  readonly firmware: Buffer
  readonly version: string
  readonly securityVersion: number
}

/** The components that a ComponentIntegrity measures: more than one where a manager chooses which of them runs. */
export function measuredBy(bmc: Bmc, uri: string): readonly Component[] {
  return listComponents(bmc).filter(({ behaviour }) => behaviour.measuredBy === uri)
}

/** Of those, the one that runs. */
export function running(bmc: Bmc, components: readonly Component[]): Component | undefined {
  return components.find(({ id }) => isActive(bmc, id) !== false)
}

/** The measurements of what runs on a component; `undefined` where nothing does that could answer. */
export function measure({ softwareId, behaviour, now }: Component): Measured | undefined {
  if (now.health === 'Critical') return undefined
  const { version, sha256, securityVersion = behaviour.securityVersion ?? 0 } = now
  // No bytes are here of what the machine came with: what stands for them is the same for the same version.
  const firmware = sha256 === undefined ? digest(`${softwareId} ${version}`) : Buffer.from(sha256, 'hex')
  return { firmware, version, securityVersion }
}

/** When what runs began to run, in milliseconds since the epoch; `factory`: it always has; `undefined`: nobody knows. */
export function runsSince(bmc: Bmc, { id, now, factory }: Component): number | 'factory' | undefined {
  const last = bmc.state.history.get(id)?.at(-1)
  if (last?.version === now.version && last.sha256 === now.sha256) return last.activatedAt
  return last === undefined && now.version === factory.version ? 'factory' : undefined
}

export function digest(data: string | Uint8Array): Buffer {
  return createHash('sha256').update(data).digest()
}
