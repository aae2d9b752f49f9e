using System;
using System.Text;
using TurboHttp.Native;

namespace TurboHttp
{
    /// <summary>
    /// Header or trailer fields to send, in order, repeats kept. They are encoded when they are added, so that sending
    /// them again costs no work. Not for use by two threads at once while they change.
    /// </summary>
    public sealed class TurboFields
    {
        private byte[] arena = new byte[256];
        private ThField[] fields = new ThField[8];
        private int used;
        private int unused;

        /// <summary>How many fields there are.</summary>
        public int Count { get; private set; }

        internal byte[] Arena { get { return arena; } }
        internal ThField[] Fields { get { return fields; } }
        internal int ArenaLength { get { return used; } }

        /// <summary>Adds a field behind the others.</summary>
        /// <exception cref="ArgumentNullException">A name or a value is null.</exception>
        public void Add(string name, string value)
        {
            Require(name, value);
            if (Count == fields.Length)
            {
                Array.Resize(ref fields, Count * 2);
            }
            Reserve(Encoding.UTF8.GetByteCount(name) + Encoding.UTF8.GetByteCount(value));
            ThField field = default(ThField);
            Write(name, out field.name_off, out field.name_len);
            Write(value, out field.value_off, out field.value_len);
            fields[Count] = field;
            Count++;
        }

        /// <summary>Takes the place of every field with this name.</summary>
        /// <exception cref="ArgumentNullException">A name or a value is null.</exception>
        public void Set(string name, string value)
        {
            Require(name, value);
            Remove(name);
            Add(name, value);
        }

        /// <summary>Removes every field with this name and says whether there was one.</summary>
        public bool Remove(string name)
        {
            int kept = 0;
            for (int i = 0; i < Count; i++)
            {
                if (IsNamed(fields[i], name))
                {
                    unused += (int)(fields[i].name_len + fields[i].value_len);
                    continue;
                }
                fields[kept] = fields[i];
                kept++;
            }
            bool found = kept != Count;
            Count = kept;
            return found;
        }

        /// <summary>Removes every field; the memory stays.</summary>
        public void Clear()
        {
            Count = 0;
            used = 0;
            unused = 0;
        }

        private static void Require(string name, string value)
        {
            if (name == null)
            {
                throw new ArgumentNullException("name");
            }
            if (value == null)
            {
                throw new ArgumentNullException("value");
            }
        }

        private bool IsNamed(ThField field, string name)
        {
            if (field.name_len != name.Length)
            {
                return false;
            }
            for (int i = 0; i < name.Length; i++)
            {
                if (Lower(arena[field.name_off + i]) != Lower(name[i]))
                {
                    return false;
                }
            }
            return true;
        }

        private static int Lower(int c)
        {
            return c >= 'A' && c <= 'Z' ? c + 32 : c;
        }

        private void Reserve(int needed)
        {
            if (arena.Length - used < needed && unused > 0)
            {
                Compact();
            }
            if (arena.Length - used < needed)
            {
                Array.Resize(ref arena, Math.Max(arena.Length * 2, used + needed));
            }
        }

        private void Write(string text, out uint offset, out uint length)
        {
            offset = (uint)used;
            length = (uint)Encoding.UTF8.GetBytes(text, 0, text.Length, arena, used);
            used += (int)length;
        }

        /// <summary>Takes the room of removed fields back.</summary>
        private void Compact()
        {
            byte[] target = new byte[arena.Length];
            int end = 0;
            for (int i = 0; i < Count; i++)
            {
                ThField field = fields[i];
                Buffer.BlockCopy(arena, (int)field.name_off, target, end, (int)field.name_len);
                field.name_off = (uint)end;
                end += (int)field.name_len;
                Buffer.BlockCopy(arena, (int)field.value_off, target, end, (int)field.value_len);
                field.value_off = (uint)end;
                end += (int)field.value_len;
                fields[i] = field;
            }
            arena = target;
            used = end;
            unused = 0;
        }
    }
}
