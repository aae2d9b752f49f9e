using System;
using System.Collections.Generic;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// One field: a view on native memory, valid until its response is disposed. Strings are made when they are asked for.
    /// </summary>
    public readonly unsafe struct TurboHeader
    {
        private readonly byte* name;
        private readonly byte* value;
        private readonly int nameLength;
        private readonly int valueLength;

        internal TurboHeader(byte* arena, in ThField field)
        {
            name = arena + field.name_off;
            value = arena + field.value_off;
            nameLength = (int)field.name_len;
            valueLength = (int)field.value_len;
        }

        /// <summary>The name, in lower case.</summary>
        public ReadOnlySpan<byte> NameBytes { get { return new ReadOnlySpan<byte>(name, nameLength); } }
        /// <summary>The value as it came.</summary>
        public ReadOnlySpan<byte> ValueBytes { get { return new ReadOnlySpan<byte>(value, valueLength); } }
        /// <summary>The name, in lower case.</summary>
        public string Name { get { return Text.Latin1(NameBytes); } }
        /// <summary>The value, each byte one character.</summary>
        public string Value { get { return Text.Latin1(ValueBytes); } }
    }

    /// <summary>
    /// The fields of a response in order, repeats kept: a view, valid until the response is disposed. <see cref="Value"/> and
    /// <see cref="Values"/> may be called while another thread disposes of the response or of the client; a
    /// <see cref="TurboHeader"/> is not to be read then.
    /// </summary>
    public readonly unsafe struct TurboHeaders
    {
        private readonly Operation operation;
        private readonly ulong user;
        private readonly ThHead trailers;
        private readonly bool isTrailers;

        internal TurboHeaders(Operation operation, ulong user)
        {
            this.operation = operation;
            this.user = user;
            trailers = default(ThHead);
            isTrailers = false;
        }

        internal TurboHeaders(Operation operation, ulong user, in ThHead trailers)
        {
            this.operation = operation;
            this.user = user;
            this.trailers = trailers;
            isTrailers = true;
        }

        /// <summary>How many fields there are.</summary>
        public int Count
        {
            get { return (int)View().count; }
        }

        /// <summary>The field at this index.</summary>
        /// <exception cref="ArgumentOutOfRangeException">There is none.</exception>
        /// <exception cref="ObjectDisposedException">The response was disposed.</exception>
        public TurboHeader this[int index]
        {
            get
            {
                if (operation == null)
                {
                    throw new ArgumentOutOfRangeException("index");
                }
                lock (operation)
                {
                    ThHead head = View();
                    if ((uint)index >= head.count)
                    {
                        throw new ArgumentOutOfRangeException("index");
                    }
                    return new TurboHeader(head.arena, head.fields[index]);
                }
            }
        }

        /// <summary>Finds the first field with this name, without regard to case and without allocating.</summary>
        public bool TryFind(string name, out TurboHeader header)
        {
            if (name == null)
            {
                throw new ArgumentNullException("name");
            }
            header = default(TurboHeader);
            if (operation == null)
            {
                return false;
            }
            lock (operation)
            {
                ThHead head = View();
                for (int i = 0; i < head.count; i++)
                {
                    TurboHeader field = new TurboHeader(head.arena, head.fields[i]);
                    if (Text.IsName(field.NameBytes, name))
                    {
                        header = field;
                        return true;
                    }
                }
                return false;
            }
        }

        /// <summary>The value of the first field with this name, or null.</summary>
        public string Value(string name)
        {
            TurboHeader header;
            if (operation == null)
            {
                return null;
            }
            lock (operation)
            {
                return TryFind(name, out header) ? header.Value : null;
            }
        }

        /// <summary>The values of all fields with this name.</summary>
        public string[] Values(string name)
        {
            List<string> values = new List<string>();
            if (operation == null)
            {
                return values.ToArray();
            }
            lock (operation)
            {
                ThHead head = View();
                for (int i = 0; i < head.count; i++)
                {
                    TurboHeader header = new TurboHeader(head.arena, head.fields[i]);
                    if (Text.IsName(header.NameBytes, name))
                    {
                        values.Add(header.Value);
                    }
                }
                return values.ToArray();
            }
        }

        /// <summary>All names and values, copied while no other thread can free them.</summary>
        internal KeyValuePair<string, string>[] ToArray()
        {
            if (operation == null)
            {
                return new KeyValuePair<string, string>[0];
            }
            lock (operation)
            {
                ThHead head = View();
                KeyValuePair<string, string>[] fields = new KeyValuePair<string, string>[head.count];
                for (int i = 0; i < fields.Length; i++)
                {
                    TurboHeader header = new TurboHeader(head.arena, head.fields[i]);
                    fields[i] = new KeyValuePair<string, string>(header.Name, header.Value);
                }
                return fields;
            }
        }

        private ThHead View()
        {
            if (operation == null)
            {
                return default(ThHead);
            }
            if (isTrailers)
            {
                operation.CheckViews(user);
                return trailers;
            }
            return operation.Head(user);
        }
    }
}
