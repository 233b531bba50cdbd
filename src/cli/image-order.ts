import { readFileSync } from 'node:fs'
import { parse } from 'node:path'
import { loadMachine } from '../bmc/mockup-folder.ts'
import type { ComponentOrder, ImageOrder } from '../image/build/builder.ts'
import type { ActivationMethod, Requirement } from '../image/image-format.ts'
import { isPrivateKey, signCms } from '../image/trust/sign.ts'

/** A component and the version that it is to get. */
export interface Wanted {
  readonly name: string
  readonly version: string
}

/** What the command line says of an image to be made. */
export interface BuildOptions {
  readonly component: readonly Wanted[]
  readonly size: number
  readonly machine: string
  /** By the names of components that are those of another machine. */
  readonly softwareId?: Readonly<Record<string, string>>
  readonly model?: string
  readonly requires?: readonly Requirement[]
  readonly securityVersion?: number
  readonly lowestVersion?: string
  readonly force?: boolean
  readonly activation?: ActivationMethod
  readonly break?: string
  readonly key?: string
  readonly certificate?: string
  readonly option?: Readonly<Record<string, string>>
}

/** The order for a builder. Throws an Error that says what cannot be ordered, or which file cannot be read. */
export function imageOrder(options: BuildOptions): ImageOrder {
  const { model, requires, securityVersion, lowestVersion, force, activation, option } = options
  const { component, size, machine, softwareId } = options
  const components = componentOrders(component, size, machine, softwareId).map((one) => ({
    ...one,
    ...(requires !== undefined && { requires }),
    ...(securityVersion !== undefined && { securityVersion }),
    ...(lowestVersion !== undefined && { lowestVersion }),
    ...(force !== undefined && { isForced: force }),
    ...(activation !== undefined && { activation }),
  }))
  return {
    components,
    ...(model !== undefined && { machine: model }),
    ...(options.break !== undefined && { defect: options.break }),
    ...(option !== undefined && { options: option }),
    ...signing(options),
  }
}

/** What is known of these components of a machine, or of others by their SoftwareIds. Throws an Error where it has no such component. */
export function componentOrders(
  wanted: readonly Wanted[],
  sizeBytes: number,
  machine: string,
  softwareIds: Readonly<Record<string, string>> = {},
): ComponentOrder[] {
  const { components } = loadMachine(machine)
  const found = wanted.map(({ name, version }): ComponentOrder => {
    const given = Object.hasOwn(softwareIds, name) ? softwareIds[name] : undefined
    if (given !== undefined) return { name, version, softwareId: given, sizeBytes }
    const facts = components.get(name)
    if (facts === undefined)
      throw new Error(`${machine} has no component ${name}; it has ${[...components.keys()].join(', ')}`)
    const { softwareId, behaviour } = facts
    return {
      name,
      version,
      softwareId,
      sizeBytes,
      ...(behaviour.identity && { identity: behaviour.identity }),
    }
  })
  const twins = found.find(
    (one, index) => found.findIndex((other) => other.softwareId === one.softwareId) < index,
  )
  if (twins !== undefined)
    throw new Error(`${twins.name} takes the same firmware as another of the components: name one of them`)
  return found
}

/** With a certificate the signature is CMS; without, that of a key that is known by the name of its file. */
function signing({ key: file, certificate }: BuildOptions): Pick<ImageOrder, 'sign' | 'key'> {
  if (file === undefined) {
    if (certificate !== undefined) throw new Error('--certificate needs the --key that goes with it')
    return {}
  }
  const key = readFileSync(file, 'utf8')
  if (!isPrivateKey(key)) throw new Error(`${file} is no private key (PEM, without a passphrase)`)
  if (certificate === undefined) return { key: { name: parse(file).name, pem: key } }
  const certificates = pemBlocks(readFileSync(certificate, 'utf8'))
  if (certificates.length === 0) throw new Error(`${certificate} holds no certificate (PEM)`)
  const sign: ImageOrder['sign'] = (content) => {
    const signed = 'sha256' in content ? { hash: 'sha256' as const, digest: content.sha256 } : content
    // A fixed time: of the same order the same image comes.
    return Promise.resolve(signCms({ signed, key, certificates, signingTime: 0 }))
  }
  return { sign }
}

function pemBlocks(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
}
