using System;
using System.Runtime.InteropServices;

/// <summary>Must fail under full AOT: a delegate of an instance method that goes to native code.</summary>
internal sealed class InstanceDelegate
{
    private delegate int Compare(IntPtr left, IntPtr right);

    private readonly int sign;

    private InstanceDelegate(int sign)
    {
        this.sign = sign;
    }

    [DllImport("libc", EntryPoint = "qsort", CallingConvention = CallingConvention.Cdecl)]
    private static extern void Sort(int[] items, IntPtr count, IntPtr size, Compare compare);

    private int CompareInts(IntPtr left, IntPtr right)
    {
        return sign * Marshal.ReadInt32(left).CompareTo(Marshal.ReadInt32(right));
    }

    private static int Main()
    {
        int[] items = { 3, 1, 2 };
        InstanceDelegate order = new InstanceDelegate(-1);
        Sort(items, new IntPtr(items.Length), new IntPtr(4), order.CompareInts);
        Console.WriteLine("turbohttp-control: worked, " + items[0]);
        return 0;
    }
}
