// For rust.sh: threads that allocate for each other, collections that grow, panics through many frames. Ends with status 9.
use std::collections::{BTreeMap, HashMap};
use std::sync::mpsc;
use std::thread;

fn deep(n: u32) -> u32 {
    let kept = vec![n; 10];
    if n == 0 {
        panic!("deep");
    }
    deep(n - 1) + kept[0]
}

fn main() {
    let (send, receive) = mpsc::channel::<Vec<String>>();
    let makers: Vec<_> = (0..6)
        .map(|seed| {
            let send = send.clone();
            thread::spawn(move || {
                for turn in 0..300 {
                    send.send((0..seed * 10 + turn % 50).map(|i| format!("{seed} {turn} {i}")).collect()).unwrap();
                }
            })
        })
        .collect();
    drop(send);
    let mut lengths: BTreeMap<usize, usize> = BTreeMap::new();
    let mut words: HashMap<String, usize> = HashMap::new();
    for list in receive {
        *lengths.entry(list.len()).or_insert(0) += 1;
        for word in list {
            *words.entry(word).or_insert(0) += 1;
        }
    }
    for maker in makers {
        maker.join().unwrap();
    }
    let caught = (0..50).filter(|&n| thread::spawn(move || deep(50 + n)).join().is_err()).count();
    std::mem::forget(words.clone());
    println!("{} {} {caught}", lengths.len(), words.len());
    std::process::exit(9);
}
