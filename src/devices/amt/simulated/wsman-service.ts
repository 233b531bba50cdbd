import { element, type Xml, xmlDocument } from '../../../redfish/xml.ts'
import { ADDRESSING, ANONYMOUS, ENUMERATION, resourceUri, SOAP, TRANSFER } from '../wsman.ts'
import { elementAt, elementsOf, readXml, textAt } from '../xml-reader.ts'
import type { Asker } from './audit-log.ts'
import { classes, extendedBy } from './classes.ts'
import { type Instance, instanceXml, namespaces, propertiesXml } from './instance.ts'
import type { AmtMachine } from './machine.ts'
import { methods, selectorsAt } from './methods.ts'

/** An answer: its HTTP status, and the envelope. */
export interface Answer {
  readonly status: number
  readonly body: string
}

/** Why a message is not answered as it wished (DSP0226 §14). */
interface Fault {
  readonly subcode:
    | 'b:ActionNotSupported'
    | 'b:DestinationUnreachable'
    | 'c:AccessDenied'
    | 'c:InvalidSelectors'
    | 'c:SchemaValidationError'
    | 'g:InvalidEnumerationContext'
  readonly text: string
}

/** What is told: an action, and what stands in the body. */
interface Told {
  readonly action: string
  readonly body: readonly Xml[]
}

interface Enumeration {
  readonly className: string
  readonly rest: readonly Instance[]
}

interface Message {
  readonly action: string
  readonly className: string
  readonly selectors: Readonly<Record<string, string>>
  readonly body: Xml | undefined
  readonly asker: Asker
}

const MAX_ENUMERATIONS = 16
const MAX_ELEMENTS = 999
const unreachable: Fault = {
  subcode: 'b:DestinationUnreachable',
  text: 'No route can be determined to reach the destination role defined by the WSAddressing To.',
}

/** Answers the messages of WS-Management (DSP0226) for a machine. */
export class WsmanService {
  readonly #machine: AmtMachine
  readonly #enumerations = new Map<string, Enumeration>()
  #lastContext = 0
  #lastMessage = 0

  constructor(machine: AmtMachine) {
    this.#machine = machine
  }

  answer(document: string, asker: Asker): Answer {
    const envelope = readXml(document)
    const header = elementAt(envelope, 'Header')
    const action = textAt(header, 'Action') ?? ''
    const uri = textAt(header, 'ResourceURI') ?? ''
    const className = uri.slice(uri.lastIndexOf('/') + 1)
    const relatesTo = textAt(header, 'MessageID') ?? ''
    const message = {
      action,
      className,
      selectors: selectorsAt(header),
      body: elementAt(envelope, 'Body'),
      asker,
    }
    const told = this.#tell(message, uri)
    const isFault = 'subcode' in told
    const { action: toldAction, body } = isFault ? faultOf(told) : told
    this.#lastMessage++
    const number = this.#lastMessage.toString(16).toUpperCase().padStart(12, '0')
    const root = element('a:Envelope', { 'xmlns:a': SOAP, 'xmlns:g': ENUMERATION, ...namespaces }, [
      element('a:Header', {}, [
        element('b:To', {}, ANONYMOUS),
        element('b:RelatesTo', {}, relatesTo),
        element('b:Action', { 'a:mustUnderstand': 'true' }, toldAction),
        element('b:MessageID', {}, `uuid:00000000-8086-8086-8086-${number}`),
        ...(isFault ? [] : [element('c:ResourceURI', {}, uri)]),
      ]),
      element('a:Body', {}, body),
    ])
    return { status: isFault ? 400 : 200, body: xmlDocument(root) }
  }

  #tell(message: Message, uri: string): Told | Fault {
    const { action, className, body } = message
    const instances = classes.get(extendedBy.get(className) ?? className)
    if (instances === undefined || body === undefined || uri !== resourceUri(className)) return unreachable
    switch (action) {
      case `${ENUMERATION}/Enumerate`:
        return this.#enumerate(extendedBy.get(className) ?? className, instances(this.#machine))
      case `${ENUMERATION}/Pull`:
        return this.#pull(elementAt(body, 'Pull'))
      case `${TRANSFER}/Get`:
        return this.#get(message, instances(this.#machine))
      case `${TRANSFER}/Put`:
        return this.#put(message)
      case `${TRANSFER}/Delete`:
        return this.#remove(message)
      default:
        return this.#invoke(message)
    }
  }

  #enumerate(className: string, rest: readonly Instance[]): Told {
    this.#lastContext++
    const context = `${this.#lastContext.toString(16).toUpperCase().padStart(8, '0')}-0000-0000-0000-000000000000`
    this.#keep(context, { className, rest })
    return {
      action: `${ENUMERATION}/EnumerateResponse`,
      body: [element('g:EnumerateResponse', {}, [element('g:EnumerationContext', {}, context)])],
    }
  }

  #pull(pull: Xml | undefined): Told | Fault {
    const context = textAt(pull, 'EnumerationContext') ?? ''
    const enumeration = this.#enumerations.get(context)
    this.#enumerations.delete(context)
    if (enumeration === undefined)
      return { subcode: 'g:InvalidEnumerationContext', text: 'The supplied enumeration context is invalid.' }
    const { className, rest } = enumeration
    const count = Math.max(1, Number(textAt(pull, 'MaxElements') ?? MAX_ELEMENTS) || 1)
    const isEnd = rest.length <= count
    if (!isEnd) this.#keep(context, { className, rest: rest.slice(count) })
    const items = rest.slice(0, count).map((one) => instanceXml(className, one))
    return {
      action: `${ENUMERATION}/PullResponse`,
      body: [
        element('g:PullResponse', {}, [
          ...(isEnd ? [] : [element('g:EnumerationContext', {}, context)]),
          element('g:Items', {}, items),
          ...(isEnd ? [element('g:EndOfSequence', {})] : []),
        ]),
      ],
    }
  }

  #keep(context: string, enumeration: Enumeration): void {
    this.#enumerations.set(context, enumeration)
    const [oldest] = this.#enumerations.keys()
    if (this.#enumerations.size > MAX_ENUMERATIONS && oldest !== undefined) this.#enumerations.delete(oldest)
  }

  #get({ className, selectors }: Message, instances: readonly Instance[]): Told | Fault {
    const found = instances.find((one) =>
      Object.entries(selectors).every(([name, value]) => one[name] === value),
    )
    if (found === undefined)
      return { subcode: 'c:InvalidSelectors', text: 'The Selectors for the resource were not valid.' }
    const real = extendedBy.get(className) ?? className
    return { action: `${TRANSFER}/GetResponse`, body: [instanceXml(real, found)] }
  }

  #put({ className, body }: Message): Told | Fault {
    const { boot, consent } = this.#machine
    if (className !== 'AMT_BootSettingData') return notSupported
    if (!consent.isGiven) return denied
    const written = elementsOf(elementAt(body, className)).map(({ name, content }) => [
      name,
      typeof content === 'string' ? content.trim() : '',
    ])
    if (!boot.write(Object.fromEntries(written)))
      return { subcode: 'c:SchemaValidationError', text: 'The supplied settings are not valid.' }
    const [instance = {}] = classes.get(className)?.(this.#machine) ?? []
    return { action: `${TRANSFER}/PutResponse`, body: [instanceXml(className, instance)] }
  }

  #remove({ className, selectors }: Message): Told | Fault {
    if (className !== 'IPS_AlarmClockOccurrence') return notSupported
    const isThere = this.#machine.alarmClock.remove(selectors['InstanceID'] ?? '')
    if (!isThere)
      return { subcode: 'c:InvalidSelectors', text: 'The Selectors for the resource were not valid.' }
    return { action: `${TRANSFER}/DeleteResponse`, body: [] }
  }

  #invoke({ action, className, body, asker }: Message): Told | Fault {
    const name = action.slice(action.lastIndexOf('/') + 1)
    const method = methods.get(`${className}/${name}`)
    const input = elementAt(body, `${name}_INPUT`)
    if (method === undefined || input === undefined || action !== `${resourceUri(className)}/${name}`)
      return notSupported
    const output = propertiesXml(method(this.#machine, input, asker), 'h')
    return {
      action: `${action}Response`,
      body: [element(`h:${name}_OUTPUT`, { 'xmlns:h': resourceUri(className) }, output)],
    }
  }
}

const notSupported: Fault = {
  subcode: 'b:ActionNotSupported',
  text: 'The action is not supported by the service.',
}
const denied: Fault = {
  subcode: 'c:AccessDenied',
  text: 'The sender was not authorized to access the resource.',
}

function faultOf({ subcode, text }: Fault): Told {
  return {
    action: `${ADDRESSING}/fault`,
    body: [
      element('a:Fault', {}, [
        element('a:Code', {}, [
          element('a:Value', {}, 'a:Sender'),
          element('a:Subcode', {}, [element('a:Value', {}, subcode)]),
        ]),
        element('a:Reason', {}, [element('a:Text', { 'xml:lang': 'en-US' }, text)]),
        element('a:Detail', {}),
      ]),
    ],
  }
}
