import { AMT, CIM, IPS } from '@device-management-toolkit/wsman-messages'
import type { Xml } from '../../redfish/xml.ts'
import type { DeviceAddress } from '../device.ts'
import type { Send } from './connection.ts'
import { DeviceError } from '../device-error.ts'
import { elementAt, elementsOf, textAt } from './xml-reader.ts'

/** The properties of an instance, as text; where one stands several times, its texts in their order. */
export type Properties = ReadonlyMap<string, readonly string[]>

/** What a method returns where whoever asked is wrong, and what is wrong. */
export type Refusals = ReadonlyMap<number, string>

const MAX_PULLS = 100

/** A device that answers, while a signal is not aborted. */
export class Management {
  readonly #send: (document: string) => Promise<Xml>
  readonly amt = new AMT.Messages()
  readonly cim = new CIM.Messages()
  readonly ips = new IPS.Messages()

  constructor(send: Send, device: DeviceAddress, signal: AbortSignal) {
    this.#send = (document) => send(device, document, signal)
  }

  /** What a message that reads, or writes, an instance is answered. */
  async instance(document: string): Promise<Properties> {
    const [instance] = elementsOf(await this.#send(document))
    return propertiesOf(instance)
  }

  /** All instances of a class. */
  async all(messages: {
    readonly Enumerate: () => string
    readonly Pull: (context: string) => string
  }): Promise<readonly Properties[]> {
    const found: Properties[] = []
    const begun = await this.#send(messages.Enumerate())
    let context = textAt(begun, 'EnumerateResponse', 'EnumerationContext')
    for (let pulls = 0; context !== undefined; pulls++) {
      if (pulls === MAX_PULLS) throw new DeviceError({ kind: 'unsupported', detail: 'its list has no end' })
      const pulled = elementAt(await this.#send(messages.Pull(context)), 'PullResponse')
      found.push(...elementsOf(elementAt(pulled, 'Items')).map(propertiesOf))
      const isEnd = elementAt(pulled, 'EndOfSequence') !== undefined
      context = isEnd ? undefined : textAt(pulled, 'EnumerationContext')
    }
    return found
  }

  /** What a method puts out. */
  async output(document: string): Promise<Properties> {
    const [output] = elementsOf(await this.#send(document))
    return propertiesOf(output)
  }

  /** Has a method do something; throws where it returns anything but success: why, if one of `refusals` says so. */
  async invoke(what: string, document: string, refusals: Refusals = new Map()): Promise<Properties> {
    const output = await this.output(document)
    const value = first(output, 'ReturnValue')
    if (value === '0') return output
    const why = refusals.get(Number(value))
    if (why !== undefined) throw new DeviceError({ kind: 'refused', detail: why })
    throw new DeviceError({ kind: 'failed', detail: `${what} returns ${value ?? 'nothing'}` })
  }

  async remove(document: string): Promise<void> {
    await this.#send(document)
  }
}

export function first(properties: Properties, name: string): string | undefined {
  const text = properties.get(name)?.[0]
  return text === '' ? undefined : text
}

function propertiesOf(instance: Xml | undefined): Properties {
  const properties = new Map<string, string[]>()
  for (const property of elementsOf(instance)) {
    const known = properties.get(property.name) ?? []
    properties.set(property.name, [...known, textOf(property)])
  }
  return properties
}

/** A date or a duration stands in an element of its own (DSP0230). */
function textOf({ content }: Xml): string {
  if (typeof content === 'string') return content.trim()
  const [inner] = content
  return inner !== undefined && typeof inner.content === 'string' ? inner.content.trim() : ''
}
