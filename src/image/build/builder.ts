import type { Readable } from 'node:stream'
import type { ComponentFacts } from '../../bmc/machine.ts'
import type { MessageKey } from '../../redfish/messages/message.ts'
import type { ActivationMethod, Requirement } from '../image-format.ts'

/** What to put into an image for one component. */
export interface ComponentOrder {
  readonly name: string
  readonly version: string
  /** What the machine's data says of it: by this it is found. */
  readonly softwareId: ComponentFacts['softwareId']
  readonly identity?: ComponentFacts['behaviour']['identity']
  readonly sizeBytes: number
  /** Its bytes; made up, reproducibly, where nobody gives them. May be asked for more than once. */
  readonly bytes?: () => Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  readonly releaseDate?: string
  readonly requires?: readonly Requirement[]
  readonly securityVersion?: number
  /** From then on no older version runs. */
  readonly lowestVersion?: string
  readonly isForced?: boolean
  readonly activation?: ActivationMethod
}

/** Signs what a format wants signed; detached CMS in DER. */
export type Sign = (
  content: { readonly content: Uint8Array } | { readonly sha256: string },
) => Promise<Uint8Array>

export interface ImageOrder {
  readonly components: readonly ComponentOrder[]
  /** The Model of the machine that it is for, where the format can say it. */
  readonly machine?: string
  readonly sign?: Sign
  /** Signs without a certificate, where the format has a place for that: the private key in PEM, and what it is known by. */
  readonly key?: { readonly name: string; readonly pem: string }
  /** The name of one of the format's defects. */
  readonly defect?: string
  /** What only one format knows (`--option name=value`). */
  readonly options?: Readonly<Record<string, string>>
}

type SignedBy = 'certificate' | 'key'

/** What an order may say that not every format can. */
export type Saying =
  | 'machine'
  | keyof Pick<
      ComponentOrder,
      'releaseDate' | 'requires' | 'securityVersion' | 'lowestVersion' | 'isForced' | 'activation'
    >

/** What is wrong with an image on purpose. */
export interface Defect {
  readonly what: string
  /** Messages that its update tells, whatever machine it is for. */
  readonly messages: readonly MessageKey[]
  /** Whether the image has to be signed to have it. */
  readonly needsSignature?: true
}

/** Makes images of a format: the same order gives the same bytes (but for signatures), never held in memory whole. */
export interface ImageBuilder {
  readonly maxComponents: number
  /** Ways of signing that its images have a place for: CMS with a certificate, a key alone. */
  readonly signedBy: readonly SignedBy[]
  /** What its images say, of all that an order may. */
  readonly says: readonly Saying[]
  /** Names of the options that only it knows. */
  readonly optionNames: readonly string[]
  readonly defects: Readonly<Record<string, Defect>>
  /** Throws an Error that says what cannot be ordered: an unknown defect, a component without the identity it needs. */
  readonly build: (order: ImageOrder) => Readable
}

/**
 * The defect that an order asks for, by its name; `signed` is what the image is to be signed by. Throws an Error where
 * there is none of that name, or it is one of a signature and there will be none.
 */
export function orderedDefect<D extends Defect>(
  defects: Readonly<Record<string, D>>,
  name: string | undefined,
  signed: ImageOrder['sign'] | ImageOrder['key'],
): D | undefined {
  if (name === undefined) return undefined
  const defect = Object.hasOwn(defects, name) ? defects[name] : undefined
  if (defect === undefined)
    throw new Error(`there is no defect ${name} here; there are ${Object.keys(defects).join(', ')}`)
  if (defect.needsSignature === true && signed === undefined)
    throw new Error(`the defect ${name} is one of a signature, and nothing is signed`)
  return defect
}
