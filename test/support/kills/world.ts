import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { buffer, text } from 'node:stream/consumers'
import { loadMachine } from '../../../src/bmc/mockup-folder.ts'
import { buildBundle } from '../../../src/image/build/bundle.ts'
import type { JsonObject } from '../../../src/redfish/resource.ts'
import { serveHttp } from '../image-server.ts'
import { certify } from '../pki.ts'
import { temporaryFolder } from '../wire.ts'
import { idOf, Ledger } from './ledger.ts'
import type { Answer, Asked, Life } from './service.ts'

const IMAGE_BYTES = 3_000
const PATIENCE_MS = 20_000
const MAX_TRAIL = 1_000
const machine = loadMachine('rackmount')

export const componentIds: readonly string[] = [...machine.components.keys()]

/** An image of one or more components, which no other is like. */
export interface MadeImage {
  readonly bytes: Buffer
  readonly sha256: string
  readonly versions: Readonly<Record<string, string>>
}

/** The service is dead, or as good as. */
export class NobodyThere extends Error {}

/** All that outlives the service: its folder, who listens to it, what was told of it. */
export class World {
  readonly folder: string
  /** Where events are received, and images are fetched from. */
  readonly origin: string
  /** What each receiver heard of: its path, and what the event is about. */
  readonly heard: Set<string>
  readonly images: Map<string, Buffer>
  readonly anchor = certify({ name: 'Anchor', isAuthority: true }).certificate
  readonly ledgers: Ledger[]
  /** Who is there, and who went, as somebody was told. */
  readonly members = new Map<string, 'there' | 'gone' | 'perhaps'>()
  /** The digest of every image that was ever sent. */
  readonly sent = new Set<string>()
  readonly violations: string[] = []
  /** What was asked for last, and answered. */
  readonly trail: string[] = []
  life: Life | undefined
  #counter = 0

  constructor(
    { folder, origin, heard, images }: Pick<World, 'folder' | 'origin' | 'heard' | 'images'>,
    bmcs: number,
  ) {
    this.folder = folder
    this.origin = origin
    this.heard = heard
    this.images = images
    this.ledgers = Array.from({ length: bmcs }, () => new Ledger())
  }

  /** A number that nobody else has. */
  count(): number {
    return ++this.#counter
  }

  ledger(slot: number): Ledger {
    const ledger = this.ledgers[slot]
    if (ledger === undefined) throw new Error(`no BMC in place ${slot}`)
    return ledger
  }

  async ask(slot: number, asked: Asked): Promise<Answer | undefined> {
    const answer = await this.life?.ask(slot, asked)
    const { method = 'GET', url, body } = asked
    if (method !== 'GET') {
      const said = Buffer.isBuffer(body) ? '' : JSON.stringify(body ?? {}).slice(0, 200)
      this.note(`BMC ${slot}: ${method} ${url} ${said}: ${answer?.status} ${answer?.location ?? ''}`)
    }
    return answer
  }

  /** Tells what came before something that must not be. */
  note(what: string): void {
    this.trail.push(what)
    if (this.trail.length > MAX_TRAIL) this.trail.shift()
  }

  /** What is there once the manager is. */
  async read(slot: number, url: string, authorization?: string): Promise<Answer> {
    const end = Date.now() + PATIENCE_MS
    while (this.life?.hasEnded() === false && Date.now() < end) {
      const answer = await this.ask(slot, { url, ...(authorization !== undefined && { authorization }) })
      if (answer !== undefined) return answer
      await sleep(20)
    }
    throw new NobodyThere()
  }

  async makeImage(ids: readonly string[]): Promise<MadeImage> {
    const versions = Object.fromEntries(ids.map((id) => [id, versionOf(id, this.count())]))
    const bytes = await buffer(
      buildBundle(
        ids.map((name) => ({
          name,
          softwareId: machine.components.get(name)?.softwareId ?? name,
          version: versions[name] ?? '',
          sizeBytes: IMAGE_BYTES,
        })),
      ),
    )
    const sha256 = digestOf(bytes)
    this.sent.add(sha256)
    return { bytes, sha256, versions }
  }

  /** Where an image can be fetched. */
  offer({ bytes, sha256 }: MadeImage): string {
    this.images.set(`/${sha256}`, bytes)
    return `${this.origin}/${sha256}`
  }

  /** Throws where anything was not as it must be: what led there, and last of all what it is, where a log is cut. */
  expectNothingWrong(when: string): void {
    if (this.violations.length === 0) return
    const what = [...new Set(this.violations)].join('\n')
    throw new Error(`${this.trail.join('\n')}\n${when}, wrong is:\n${what}`)
  }

  violate(slot: number, found: readonly string[]): void {
    for (const what of found) this.violations.push(`BMC ${slot}: ${what}`)
  }
}

/** Nobody has told anything yet. */
export async function createWorld(bmcs: number): Promise<World> {
  const heard = new Set<string>()
  const images = new Map<string, Buffer>()
  const { origin } = await serveHttp(async (request, response) => {
    const image = images.get(request.url ?? '')
    if (request.method === 'GET') return response.writeHead(image ? 200 : 404).end(image)
    const { Events } = JSON.parse(await text(request)) as { readonly Events: readonly JsonObject[] }
    for (const { OriginOfCondition: about } of Events)
      heard.add(`${request.url} ${idOf((about ?? {}) as JsonObject)}`)
    return response.writeHead(204).end()
  })
  return new World({ folder: await temporaryFolder(), origin, heard, images }, bmcs)
}

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Newer than all before it. */
function versionOf(id: string, number: number): string {
  return `${/^\d/.test(machine.components.get(id)?.factory.version ?? '') ? '9' : 'GXZ'}${1_000 + number}.0.0`
}
