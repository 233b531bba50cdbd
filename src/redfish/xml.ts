/** An XML element: what stands in it is other elements, or text. */
export interface Xml {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly content: string | readonly Xml[]
}

export function element(name: string, attributes: Xml['attributes'], content: Xml['content'] = []): Xml {
  return { name, attributes, content }
}

/** The document with this root, one element a line. */
export function xmlDocument(root: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${lines(root, '')}`
}

function lines({ name, attributes, content }: Xml, indent: string): string {
  const told = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`)
  const start = `${indent}<${name}${told.join('')}`
  if (typeof content === 'string') return `${start}>${escaped(content)}</${name}>\n`
  if (content.length === 0) return `${start}/>\n`
  const inner = content.map((one) => lines(one, `${indent}  `)).join('')
  return `${start}>\n${inner}${indent}</${name}>\n`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
